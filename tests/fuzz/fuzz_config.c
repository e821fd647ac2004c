/* A configuration: what is accepted reads back as itself; what is refused names its line. */
#include "fuzz.h"

#include "ddpm/base/config.h"

#include <stdlib.h>
#include <string.h>

static void check_round_trip(const ddpm_config *config)
{
    static ddpm_config again;
    char *text = ddpm_config_text(config);
    FUZZ_REQUIRE(text);
    ddpm_config_init(&again);
    FUZZ_REQUIRE(ddpm_config_parse(&again, text, "again.ini") == DDPM_OK);
    FUZZ_REQUIRE(ddpm_config_first_difference(config, &again) == -1);
    char *text_again = ddpm_config_text(&again);
    FUZZ_REQUIRE(text_again && strcmp(text, text_again) == 0);
    free(text_again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static ddpm_config config;
    char *text = malloc(bytes + 1);
    FUZZ_REQUIRE(text);
    memcpy(text, data, bytes);
    text[bytes] = '\0';
    ddpm_config_init(&config);
    const ddpm_status status = ddpm_config_parse(&config, text, "fuzz.ini");
    free(text);
    FUZZ_REQUIRE(status == DDPM_OK || status == DDPM_ECONFIG);
    if (status == DDPM_OK) {
        const ddpm_status checked = ddpm_config_check(&config);
        FUZZ_REQUIRE(checked == DDPM_OK || checked == DDPM_ECONFIG);
        check_round_trip(&config);
    } else
        FUZZ_REQUIRE(strncmp(ddpm_status_message(), "fuzz.ini:", 9) == 0);
    return 0;
}
