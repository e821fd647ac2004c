#include "inspect.h"

#include <stdio.h>
#include <stdlib.h>

int inspect_config(const inspect_options *options)
{
    char path[INSPECT_PATH];
    ddpm_checkpoint *checkpoint = NULL;
    ddpm_status status = inspect_open(&checkpoint, path, options->paths[0]);
    if (status != DDPM_OK) return inspect_failed(options, status);
    int code = 0;
    const ddpm_config *config = ddpm_checkpoint_config(checkpoint);
    if (options->json) {
        code = inspect_print_json(inspect_json_config(config));
    } else {
        char *text = ddpm_config_text(config);
        if (text)
            fputs(text, stdout);
        else
            code = inspect_failed(options, ddpm_fail(DDPM_EOS, "out of memory"));
        free(text);
    }
    ddpm_checkpoint_close(checkpoint);
    return code;
}
