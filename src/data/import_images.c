#include "import_private.h"

#include "ddpm/base/log.h"
#include "ddpm/io/image.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { PIXELS_MOST = 1 << 28, DEPTH_MOST = 64 };

typedef struct {
    char *path;
    char *class; /* the folder below the input it was found in; NULL directly in it */
} entry;

typedef struct {
    entry *entry;
    size_t count, capacity, others;
} listing;

static void free_listing(listing *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->entry[i].path);
        free(list->entry[i].class);
    }
    free(list->entry);
}

static ddpm_status add(listing *list, const char *path, const char *class)
{
    if (list->count == list->capacity) {
        const size_t capacity = list->capacity ? 2 * list->capacity : 1024;
        entry *grown = realloc(list->entry, capacity * sizeof *grown);
        if (!grown) return ddpm_fail(DDPM_EOS, "%s: out of memory", path);
        list->entry = grown;
        list->capacity = capacity;
    }
    entry *e = &list->entry[list->count];
    e->path = strdup(path);
    e->class = class ? strdup(class) : NULL;
    if (!e->path || (class && !e->class)) {
        free(e->path);
        return ddpm_fail(DDPM_EOS, "%s: out of memory", path);
    }
    list->count++;
    return DDPM_OK;
}

static bool is_image_name(const char *name)
{
    static const char *const endings[] = { ".png", ".jpg", ".jpeg" };
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof endings / sizeof *endings; i++)
        if (strcasecmp(dot, endings[i]) == 0) return true;
    return false;
}

/* All images below a folder. Links to files are followed, links to folders are not: they may lead
   back. Hidden files are left out. */
static ddpm_status list_folder(listing *list, const char *folder, const char *class, int depth)
{
    if (depth > DEPTH_MOST)
        return ddpm_fail(DDPM_EDATA, "%s: folders are nested more than %d deep", folder,
                         DEPTH_MOST);
    DIR *directory = opendir(folder);
    if (!directory)
        return ddpm_fail(DDPM_ENOINPUT, "cannot open the folder %s: %s", folder, strerror(errno));
    ddpm_status status = DDPM_OK;
    const struct dirent *found;
    while (status == DDPM_OK && (found = readdir(directory)) != NULL) {
        if (found->d_name[0] == '.') continue;
        char *path = NULL;
        struct stat link, about;
        if (asprintf(&path, "%s/%s", folder, found->d_name) < 0) {
            status = ddpm_fail(DDPM_EOS, "%s: out of memory", folder);
            break;
        }
        if (lstat(path, &link) == 0 && S_ISDIR(link.st_mode))
            status = list_folder(list, path, class ? class : found->d_name, depth + 1);
        else if (is_image_name(path) && stat(path, &about) == 0 && S_ISREG(about.st_mode))
            status = add(list, path, class);
        else
            list->others++;
        free(path);
    }
    closedir(directory);
    return status;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const entry *)a)->path, ((const entry *)b)->path);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Each input's images in the order of their paths, so that the set does not depend on the order in
   which a file system lists them. */
static ddpm_status list_inputs(listing *list, const ddpm_import_options *options)
{
    for (size_t i = 0; i < options->input_count; i++) {
        const char *input = options->inputs[i];
        struct stat about;
        const size_t before = list->count;
        if (stat(input, &about) != 0)
            return ddpm_fail(DDPM_ENOINPUT, "cannot open %s: %s", input, strerror(errno));
        if (S_ISDIR(about.st_mode))
            DDPM_TRY(list_folder(list, input, NULL, 0));
        else
            DDPM_TRY(add(list, input, NULL));
        if (list->count == before)
            return ddpm_fail(DDPM_ENOINPUT, "%s: there is no PNG or JPEG file in it", input);
        qsort(list->entry + before, list->count - before, sizeof *list->entry, by_path);
    }
    if (list->others > 0)
        ddpm_log_info("left out: %zu with names that end in neither .png nor .jpg", list->others);
    return DDPM_OK;
}

/* The names of the classes, sorted; pointers into the listing. */
static ddpm_status name_classes(char ***names, size_t *count, const listing *list)
{
    assert(list->count > 0);
    *count = 0;
    *names = calloc(list->count, sizeof **names);
    if (!*names) return ddpm_fail(DDPM_EOS, "out of memory for labels");
    for (size_t i = 0; i < list->count; i++) {
        if (!list->entry[i].class)
            return ddpm_fail(DDPM_EDATA,
                             "%s has no label: with --folder-labels every image lies in a folder "
                             "of its class below the one that is imported",
                             list->entry[i].path);
        (*names)[i] = list->entry[i].class;
    }
    qsort(*names, list->count, sizeof **names, by_text);
    for (size_t i = 0; i < list->count; i++)
        if (*count == 0 || strcmp((*names)[*count - 1], (*names)[i]) != 0)
            (*names)[(*count)++] = (*names)[i];
    return DDPM_OK;
}

static ddpm_status write_class_names(ddpm_dataset_writer *writer, char *const *names, size_t count)
{
    size_t bytes = 1;
    for (size_t i = 0; i < count; i++) bytes += strlen(names[i]) + 1;
    char *text = calloc(1, bytes);
    if (!text) return ddpm_fail(DDPM_EOS, "out of memory for labels");
    char *end = text;
    for (size_t i = 0; i < count; i++) end += sprintf(end, i ? "\n%s" : "%s", names[i]);
    const ddpm_status status = ddpm_dataset_writer_set_text(writer, "class_names", text);
    free(text);
    return status;
}

typedef struct {
    size_t skipped, enlarged;
} tally;

static ddpm_status copy(ddpm_data__sink *sink, tally *seen, const entry *e, char *const *names,
                        size_t classes, const ddpm_import_options *options)
{
    ddpm_image image, square;
    ddpm_status status = ddpm_image_read(&image, e->path, options->channels, PIXELS_MOST);
    if ((status == DDPM_EDATA || status == DDPM_ENOINPUT) && options->skip_broken) {
        ddpm_log_warning("%s; left out", ddpm_status_message());
        seen->skipped++;
        return DDPM_OK;
    }
    if (status != DDPM_OK) return status;
    seen->enlarged += image.height < options->size || image.width < options->size;
    status = ddpm_image_crop_resize(&square, &image, options->size, options->size);
    ddpm_image_free(&image);
    if (status != DDPM_OK) return status;
    int64_t label = 0;
    if (classes > 0)
        label = (char **)bsearch(&e->class, names, classes, sizeof *names, by_text) - names;
    status = ddpm_data__sink_put(sink, square.pixels, classes > 0 ? &label : NULL, 1);
    ddpm_image_free(&square);
    return status;
}

ddpm_status ddpm_data__import_images(const ddpm_import_options *options)
{
    if (options->size == 0)
        return ddpm_fail(DDPM_EUSAGE, "images of any size become one: say which by --size");
    listing list = { 0 };
    char **names = NULL;
    size_t classes = 0;
    ddpm_data__sink sink = { 0 };
    tally seen = { 0 };
    ddpm_dataset_info info = {
        .shape = { 0, options->size, options->size, options->channels },
        .has_labels = options->folder_labels,
        .range_max = 255.0f,
    };
    ddpm_data__describe(&info, options, "images");
    ddpm_status status = list_inputs(&list, options);
    if (status == DDPM_OK && options->folder_labels) status = name_classes(&names, &classes, &list);
    if (status == DDPM_OK)
        status = ddpm_data__sink_open(&sink, options->output, &info, 0, list.count, options->stop);
    for (size_t i = 0; i < list.count && status == DDPM_OK; i++)
        status = copy(&sink, &seen, &list.entry[i], names, classes, options);
    if (status == DDPM_OK && classes > 0) status = write_class_names(sink.writer, names, classes);
    status = ddpm_data__sink_close(&sink, status);
    if (status == DDPM_OK && seen.skipped > 0)
        ddpm_log_warning("%zu of %zu files could not be read and are left out", seen.skipped,
                         list.count);
    if (status == DDPM_OK && seen.enlarged > 0)
        ddpm_log_warning("%zu images are smaller than %zu x %zu and were enlarged", seen.enlarged,
                         options->size, options->size);
    free(names);
    free_listing(&list);
    return status;
}
