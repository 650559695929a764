/* Runs every file of the given directories through a fuzz target; fails if there is none. */
#include "fuzz.h"

#include <dirent.h>
#include <sys/stat.h>

static int run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct stat st;
    uint8_t *data;
    size_t len;

    if (!file || fstat(fileno(file), &st)) {
        fprintf(stderr, "cannot open %s\n", path);
        exit(2);
    }
    if (!S_ISREG(st.st_mode)) {
        fclose(file);
        return 0;
    }
    /* Exactly as many bytes as the file has, so that a read past the end is seen. */
    data = malloc(st.st_size ? (size_t)st.st_size : 1);
    len = data ? fread(data, 1, (size_t)st.st_size, file) : 0;
    fclose(file);
    LLVMFuzzerTestOneInput(data, len);
    free(data);
    return 1;
}

int main(int argc, char **argv)
{
    int count = 0;

    for (int i = 1; i < argc; i++) {
        DIR *dir = opendir(argv[i]);
        struct dirent *entry;

        if (!dir) {
            fprintf(stderr, "cannot open %s\n", argv[i]);
            return 2;
        }
        while ((entry = readdir(dir))) {
            char path[4096];

            snprintf(path, sizeof(path), "%s/%s", argv[i], entry->d_name);
            count += run_file(path);
        }
        closedir(dir);
    }
    printf("%d inputs\n", count);
    return count > 0 ? 0 : 1;
}
