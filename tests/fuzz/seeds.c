/* fuzz_seeds FOLDER: a few small files of every format into FOLDER/<format>/, from which the
 * corpora grew (seeds.sh). */
#include "fuzz.h"

#include "ddpm/data/dataset.h"
#include "ddpm/io/sealed_file.h"
#include "ddpm/train/checkpoint.h"

#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
/* after stdio.h */
#include <jpeglib.h>
#include <png.h>

static const char *folder;

static void must(ddpm_status status)
{
    if (status == DDPM_OK) return;
    fprintf(stderr, "fuzz_seeds: %s\n", ddpm_status_message());
    exit(1);
}

static const char *path_of(const char *format, const char *name)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, format);
    must(ddpm_make_directory(path));
    snprintf(path, sizeof path, "%s/%s/%s", folder, format, name);
    return path;
}

static void write_bytes(const char *format, const char *name, const void *data, size_t bytes)
{
    must(ddpm_publish_file(path_of(format, name), data, bytes));
}

static void write_gz(const char *format, const char *name, const void *data, size_t bytes)
{
    gzFile file = gzopen(path_of(format, name), "wb9");
    FUZZ_REQUIRE(file && gzwrite(file, data, (unsigned)bytes) == (int)bytes);
    gzclose(file);
}

static void make_idx(void)
{
    unsigned char three[16 + 2 * 12] = { 0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 3, 9 };
    unsigned char four[20 + 12] = { 0, 0, 8, 4, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3 };
    static const unsigned char huge[16] = { 0, 0, 8,    3,    0, 0, 0,    2,
                                            0, 0, 0x4e, 0x20, 0, 0, 0x4e, 0x20 };
    write_bytes("idx", "huge", huge, sizeof huge);
    write_bytes("idx", "grey", three, sizeof three);
    write_bytes("idx", "colour", four, sizeof four);
    write_gz("idx", "grey.gz", three, sizeof three);
    write_bytes("idx", "labels", (unsigned char[]){ 0, 0, 8, 1, 0, 0, 0, 1, 5 }, 9);
}

static void make_cifar(void)
{
    static unsigned char records[2][3073];
    for (size_t i = 0; i < 3072; i++) records[1][i + 1] = (unsigned char)(i / 7);
    records[1][0] = 9;
    write_bytes("cifar", "one", records[0], sizeof records[0]);
    write_gz("cifar", "two.gz", records, sizeof records);
    write_bytes("cifar", "short", records[1], 100);
}

static void make_png(const char *name, int color, int depth, int interlace, unsigned side)
{
    static const png_color palette[4] = { { 1, 2, 3 }, { 50, 60, 70 }, { 255, 0, 0 }, { 0, 9, 0 } };
    static unsigned char row[2048];
    unsigned char alpha[2] = { 0, 128 };
    FILE *file = fopen(path_of("png", name), "wb");
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    FUZZ_REQUIRE(file && png && info);
    if (setjmp(png_jmpbuf(png))) exit(1);
    png_init_io(png, file);
    png_set_IHDR(png, info, side, side, depth, color, interlace, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    if (color == PNG_COLOR_TYPE_PALETTE) {
        png_set_PLTE(png, info, palette, 4);
        png_set_tRNS(png, info, alpha, 2, NULL);
    }
    png_write_info(png, info);
    const int passes = interlace ? png_set_interlace_handling(png) : 1;
    for (int pass = 0; pass < passes; pass++)
        for (unsigned y = 0; y < side; y++) {
            for (size_t i = 0; i < sizeof row; i++) row[i] = (unsigned char)(y * 3 + i);
            if (color == PNG_COLOR_TYPE_PALETTE) memset(row, (int)(y % 4), sizeof row);
            png_write_row(png, row);
        }
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
    fclose(file);
}

static void make_jpeg(const char *name, int components, J_COLOR_SPACE space, int progressive,
                      int arithmetic)
{
    enum { SIDE = 20 };
    unsigned char line[SIDE * 4];
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    FILE *file = fopen(path_of("jpeg", name), "wb");
    FUZZ_REQUIRE(file);
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_stdio_dest(&jpeg, file);
    jpeg.image_width = jpeg.image_height = SIDE;
    jpeg.input_components = components;
    jpeg.in_color_space = space;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, 60, TRUE);
    jpeg.arith_code = arithmetic ? TRUE : FALSE;
    jpeg.restart_interval = progressive ? 0 : 1;
    if (progressive) jpeg_simple_progression(&jpeg);
    jpeg_start_compress(&jpeg, TRUE);
    while (jpeg.next_scanline < SIDE) {
        for (size_t i = 0; i < sizeof line; i++) line[i] = (unsigned char)(i * jpeg.next_scanline);
        JSAMPROW row = line;
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    fclose(file);
}

static void make_images(void)
{
    make_png("grey", PNG_COLOR_TYPE_GRAY, 8, PNG_INTERLACE_NONE, 9);
    make_png("grey1", PNG_COLOR_TYPE_GRAY, 1, PNG_INTERLACE_NONE, 9);
    make_png("grey-alpha", PNG_COLOR_TYPE_GRAY_ALPHA, 8, PNG_INTERLACE_ADAM7, 9);
    make_png("rgb", PNG_COLOR_TYPE_RGB, 8, PNG_INTERLACE_NONE, 9);
    make_png("rgb16", PNG_COLOR_TYPE_RGB, 16, PNG_INTERLACE_ADAM7, 9);
    make_png("rgba", PNG_COLOR_TYPE_RGB_ALPHA, 8, PNG_INTERLACE_NONE, 9);
    make_png("palette", PNG_COLOR_TYPE_PALETTE, 2, PNG_INTERLACE_NONE, 9);
    make_png("large", PNG_COLOR_TYPE_GRAY, 1, PNG_INTERLACE_NONE, 1100);
    make_jpeg("rgb", 3, JCS_RGB, 0, 0);
    make_jpeg("grey", 1, JCS_GRAYSCALE, 0, 0);
    make_jpeg("progressive", 3, JCS_RGB, 1, 0);
    make_jpeg("arithmetic", 3, JCS_RGB, 0, 1);
    make_jpeg("cmyk", 4, JCS_CMYK, 0, 0);
}

/* /x [4,6,5] of bytes or [2,3,4,4] of floats, with labels beside; chunks 0: contiguous. */
static void make_array(const char *name, H5F_libver_t version, int floats, hsize_t chunk,
                       int filters)
{
    static const hsize_t bytes_size[3] = { 4, 6, 5 }, floats_size[4] = { 2, 3, 4, 4 };
    const hsize_t *size = floats ? floats_size : bytes_size;
    const int rank = floats ? 4 : 3;
    float values[128];
    unsigned char bytes[128];
    for (size_t i = 0; i < 128; i++) bytes[i] = (unsigned char)(values[i] = (float)(i % 11));
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS), creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_libver_bounds(access, version,
                         version == H5F_LIBVER_EARLIEST ? H5F_LIBVER_V18 : version);
    if (chunk) {
        hsize_t chunks[4];
        memcpy(chunks, size, sizeof *size * (size_t)rank);
        chunks[0] = chunk;
        H5Pset_chunk(creation, rank, chunks);
    }
    if (filters & 1) H5Pset_shuffle(creation);
    if (filters & 2) H5Pset_deflate(creation, 9);
    if (filters & 4) H5Pset_fletcher32(creation);
    const hid_t file = H5Fcreate(path_of("hdf5", name), H5F_ACC_TRUNC, H5P_DEFAULT, access);
    const hid_t space = H5Screate_simple(rank, size, NULL);
    const hid_t set = H5Dcreate2(file, "x", floats ? H5T_IEEE_F32LE : H5T_STD_U8LE, space,
                                 H5P_DEFAULT, creation, H5P_DEFAULT);
    H5Dwrite(set, floats ? H5T_NATIVE_FLOAT : H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT,
             floats ? (void *)values : (void *)bytes);
    const hid_t group = H5Gcreate2(file, "g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (floats) H5Lcreate_soft("/x", group, "soft", H5P_DEFAULT, H5P_DEFAULT);
    H5Gclose(group);
    H5Dclose(set);
    H5Sclose(space);
    H5Pclose(creation);
    H5Pclose(access);
    FUZZ_REQUIRE(H5Fclose(file) >= 0);
}

static void make_dataset(const char *name, int floats, int labels)
{
    ddpm_dataset_info info = { .shape = { 0, 4, 3, 2 },
                               .is_float = floats != 0,
                               .has_labels = labels != 0,
                               .range_max = floats ? 1.0f : 255.0f,
                               .name = "seed",
                               .source = "fuzz" };
    float images[3 * 24];
    for (size_t i = 0; i < 72; i++) images[i] = (float)(i % 9) / 9.0f;
    const int64_t label[3] = { 0, 2, 1 };
    ddpm_dataset_writer *writer;
    must(ddpm_dataset_writer_create(&writer, path_of("dataset", name), &info));
    must(ddpm_dataset_writer_append(writer, images, labels ? label : NULL, 3));
    must(ddpm_dataset_writer_set_number(writer, "gaussian_mean", 0.5));
    must(ddpm_dataset_writer_set_text(writer, "class_names", "a\nb\nc"));
    must(ddpm_dataset_writer_finish(writer));
}

static void make_checkpoint(void)
{
    static ddpm_param param[] = {
        { "conv_in.weight", DDPM_LAYOUT_HWIO, 4, { 3, 3, 1, 2 }, 0, 18, 0, 0, false },
        { "conv_in.bias", DDPM_LAYOUT_VECTOR, 1, { 2 }, 32, 2, 0, 0, false },
        { "mid.to_out.weight", DDPM_LAYOUT_IO, 2, { 2, 3 }, 48, 6, 0, 0, true },
    };
    static float flat[64];
    const ddpm_params params = { 3, 64, 26, param };
    const ddpm_state state = { .weights = flat,
                               .m = flat,
                               .v = flat,
                               .ema_count = 1,
                               .ema = { flat },
                               .ema_decay = { 0.99 } };
    const ddpm_progress progress = { .step = 12,
                                     .images_seen = 96,
                                     .loss = 0.5,
                                     .run_id = "5f0c1e22a9",
                                     .dataset_hash = "sha256:01",
                                     .dataset_name = "seed",
                                     .dataset_images = 3,
                                     .created = "2026-01-31T12:00:00Z",
                                     .host = "node",
                                     .ranks = 1,
                                     .threads = 1 };
    ddpm_config config;
    ddpm_config_init(&config);
    const char *const formats[] = { "checkpoint", "resealed" };
    for (size_t i = 0; i < 2; i++)
        must(ddpm_checkpoint_write(path_of(formats[i], "tiny"), &config, &params, &state,
                                   &progress));
}

static void make_metrics(void)
{
    static const char lines[] = "{\"step\":100,\"loss\":0.25,\"loss_q0\":null,\"time\":\"2026\"}\n"
                                "{\"step\":200,\"loss\":1e-3,\"host\":\"n\\u00e4\"}\n"
                                "{\"step\":300,\"loss\":[1,{}]}\n{\"step\":4";
    static const char other[] = "\n[]\n{\"step\":-1}\n{\"step\":1.5}\n{}\nnull\n";
    write_bytes("metrics", "torn", lines, sizeof lines - 1);
    write_bytes("metrics", "whole", lines, 56);
    write_bytes("metrics", "other", other, sizeof other - 1);
}

static void make_tensors(const char *name, const char *header, size_t data_bytes)
{
    unsigned char file[1024] = { 0 };
    const size_t length = strlen(header);
    file[0] = (unsigned char)length;
    file[1] = (unsigned char)(length >> 8);
    for (size_t i = 0; i < length; i++) file[8 + i] = (unsigned char)header[i];
    for (size_t i = 0; i < data_bytes; i++) file[8 + length + i] = (unsigned char)(60 + i);
    write_bytes("safetensors", name, file, 8 + length + data_bytes);
}

static void make_safetensors(void)
{
    make_tensors("one", "{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8);
    make_tensors("several",
                 "{\"__metadata__\":{\"format\":\"pt\"},"
                 "\"a\":{\"dtype\":\"F16\",\"shape\":[2,2],\"data_offsets\":[8,16]},"
                 "\"b\":{\"dtype\":\"BF16\",\"shape\":[1],\"data_offsets\":[16,18]},"
                 "\"n\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,8]},"
                 "\"d\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[18,26]}} ",
                 26);
    make_tensors("none", "{\"x\":{\"dtype\":\"U8\",\"shape\":[0,9],\"data_offsets\":[0,0]}}", 0);
    make_tensors("hole", "{\"x\":{\"dtype\":\"I8\",\"shape\":[2],\"data_offsets\":[1,3]}}", 3);
}

int main(int argc, char **argv)
{
    if (argc != 2) return 64;
    folder = argv[1];
    make_idx();
    make_cifar();
    make_images();
    make_array("bytes-old", H5F_LIBVER_EARLIEST, 0, 0, 0);
    make_array("bytes-new", H5F_LIBVER_V110, 0, 0, 0);
    make_array("floats-old", H5F_LIBVER_EARLIEST, 1, 1, 3);
    make_array("floats-new", H5F_LIBVER_V110, 1, 1, 3);
    make_array("fletcher-new", H5F_LIBVER_V110, 0, 2, 7);
    make_dataset("bytes", 0, 1);
    make_dataset("floats", 1, 0);
    make_checkpoint();
    make_metrics();
    make_safetensors();
    return 0;
}
