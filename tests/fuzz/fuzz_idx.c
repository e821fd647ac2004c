/* IDX, plain or compressed: images, and labels of two images. */
#include "fuzz_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const uint8_t images[] = { 0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 9, 8, 7, 6 };
    enum { RANK = 3 };
    if (bytes <= RANK || data[RANK] != 1) {
        fuzz_import("idx", (ddpm_import_options){ .pad = bytes % 3 == 0 ? 32 : 0 }, data, bytes);
        return 0;
    }
    const char *labels = fuzz_input(data, bytes);
    char kept[512];
    snprintf(kept, sizeof kept, "%s.labels", labels);
    FUZZ_REQUIRE(rename(labels, kept) == 0);
    labels = kept;
    fuzz_import("idx", (ddpm_import_options){ .labels = &labels, .label_count = 1 }, images,
                sizeof images);
    unlink(kept);
    return 0;
}
