/* CIFAR-10's binary version: records of a label and 32 x 32 of red, then green, then blue. */
#include "import_private.h"

#include <stdlib.h>

enum {
    SIDE = 32,
    PLANE = SIDE * SIDE,
    RECORD = 1 + 3 * PLANE,
    RECORDS_A_BLOCK = 1000,
    CLASSES = 10
};

typedef struct {
    unsigned char record[RECORDS_A_BLOCK][RECORD];
    unsigned char image[RECORDS_A_BLOCK][3 * PLANE];
    int64_t label[RECORDS_A_BLOCK];
} block;

static ddpm_status unpack(block *b, size_t n, size_t before, const char *path)
{
    for (size_t i = 0; i < n; i++) {
        b->label[i] = b->record[i][0];
        if (b->label[i] >= CLASSES)
            return ddpm_fail(DDPM_EDATA,
                             "%s: record %zu has the label %d; is it a binary batch of CIFAR-10?",
                             path, before + i, b->record[i][0]);
        for (size_t p = 0; p < PLANE; p++)
            for (size_t c = 0; c < 3; c++) b->image[i][3 * p + c] = b->record[i][1 + c * PLANE + p];
    }
    return DDPM_OK;
}

static ddpm_status copy(ddpm_data__sink *sink, block *b, const char *path)
{
    ddpm_data__stream stream;
    DDPM_TRY(ddpm_data__stream_open(&stream, path));
    ddpm_status status = DDPM_OK;
    size_t records = 0, got = sizeof b->record;
    while (status == DDPM_OK && got == sizeof b->record) {
        status = ddpm_data__stream_read(&stream, &got, b->record, sizeof b->record);
        if (status == DDPM_OK && got % RECORD != 0)
            status = ddpm_fail(DDPM_EDATA,
                               "%s is truncated or no binary batch of CIFAR-10: %zu bytes remain "
                               "after %zu records of %d",
                               path, got % RECORD, records + got / RECORD, RECORD);
        if (status == DDPM_OK) status = unpack(b, got / RECORD, records, path);
        if (status == DDPM_OK && got > 0)
            status = ddpm_data__sink_put(sink, b->image, b->label, got / RECORD);
        records += got / RECORD;
    }
    if (status == DDPM_OK && records == 0) status = ddpm_fail(DDPM_EDATA, "%s is empty", path);
    ddpm_data__stream_close(&stream);
    return status;
}

ddpm_status ddpm_data__import_cifar10(const ddpm_import_options *options)
{
    ddpm_dataset_info info = { .shape = { 0, SIDE, SIDE, 3 },
                               .has_labels = true,
                               .range_max = 255.0f };
    ddpm_data__describe(&info, options, "cifar10");
    block *b = malloc(sizeof *b);
    if (!b) return ddpm_fail(DDPM_EOS, "%s: out of memory", options->output);
    ddpm_data__sink sink = { 0 };
    ddpm_status status = ddpm_data__sink_open(&sink, options->output, &info, options->pad, 0,
                                              options->stop);
    for (size_t i = 0; i < options->input_count && status == DDPM_OK; i++)
        status = copy(&sink, b, options->inputs[i]);
    if (status == DDPM_OK)
        status = ddpm_dataset_writer_set_text(sink.writer, "class_names",
                                              "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\n"
                                              "horse\nship\ntruck");
    free(b);
    return ddpm_data__sink_close(&sink, status);
}
