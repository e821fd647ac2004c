#include "import_private.h"

#include <stdio.h>
#include <string.h>

const ddpm_importer ddpm_importers[] = {
    {
        .name = "idx",
        .inputs = "IMAGES...",
        .help = "IDX files of MNIST, Fashion-MNIST and the like, plain or .gz",
        .options = DDPM_IMPORT_LABELS | DDPM_IMPORT_PAD,
        .run = ddpm_data__import_idx,
    },
    {
        .name = "cifar10",
        .inputs = "BATCH.bin...",
        .help = "binary batches of CIFAR-10, plain or .gz",
        .options = DDPM_IMPORT_PAD,
        .run = ddpm_data__import_cifar10,
    },
    {
        .name = "images",
        .inputs = "FOLDER|FILE...",
        .help = "PNG and JPEG files, and all below folders; cropped to a square, resized",
        .options = DDPM_IMPORT_SIZE | DDPM_IMPORT_CHANNELS | DDPM_IMPORT_FOLDER_LABELS |
                   DDPM_IMPORT_SKIP_BROKEN,
        .run = ddpm_data__import_images,
    },
    {
        .name = "hdf5",
        .inputs = "FILE.h5...",
        .help = "an array of any HDF5 file, integers or floats",
        .options = DDPM_IMPORT_LABELS | DDPM_IMPORT_PAD | DDPM_IMPORT_OBJECT | DDPM_IMPORT_LAYOUT |
                   DDPM_IMPORT_RANGE,
        .run = ddpm_data__import_hdf5,
    },
};
const size_t ddpm_importer_count = sizeof ddpm_importers / sizeof *ddpm_importers;

const ddpm_importer *ddpm_importer_find(const char *name)
{
    for (size_t i = 0; i < ddpm_importer_count; i++)
        if (strcmp(ddpm_importers[i].name, name) == 0) return &ddpm_importers[i];
    return NULL;
}

void ddpm_data__describe(ddpm_dataset_info *info, const ddpm_import_options *options,
                         const char *importer)
{
    snprintf(info->name, sizeof info->name, "%s", options->name ? options->name : importer);
    if (options->source) {
        snprintf(info->source, sizeof info->source, "%s", options->source);
        return;
    }
    size_t used = (size_t)snprintf(info->source, sizeof info->source, "%s", importer);
    for (size_t i = 0; i < options->input_count && used < sizeof info->source; i++)
        used += (size_t)snprintf(info->source + used, sizeof info->source - used, " %s",
                                 options->inputs[i]);
}

size_t ddpm_data__block_images(size_t image_bytes)
{
    const size_t fit = DDPM_DATA_BLOCK_BYTES / image_bytes;
    return fit > 0 ? fit : 1;
}
