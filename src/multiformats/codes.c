#include "multiformats/codes.h"

#include <string.h>

static const vvi_code codes[] = {
#define CODE(code_, name_)        { code_, false, 0, name_ },
#define HASH(code_, name_, size_) { code_, true, size_, name_ },
#include "multiformats/codes.def"
#undef CODE
#undef HASH
};
#define CODE_COUNT (sizeof(codes) / sizeof(codes[0]))

const vvi_code *vvi_code_find(uint64_t code)
{
    size_t low = 0;
    size_t high = CODE_COUNT;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (codes[middle].code < code)
            low = middle + 1;
        else
            high = middle;
    }
    return low < CODE_COUNT && codes[low].code == code ? &codes[low] : NULL;
}

static const vvi_code *find_by_name(const char *name, bool hash_only)
{
    for (size_t i = 0; name && i < CODE_COUNT; i++)
        if (strcmp(codes[i].name, name) == 0 && (codes[i].is_hash || !hash_only))
            return &codes[i];
    return NULL;
}

const char *vv_codec_name(uint64_t codec)
{
    const vvi_code *found = vvi_code_find(codec);

    return found ? found->name : NULL;
}

bool vv_codec_by_name(const char *name, uint32_t *codec)
{
    const vvi_code *found = find_by_name(name, false);

    if (found)
        *codec = found->code;
    return found != NULL;
}

const char *vv_hash_name(uint64_t hash)
{
    const vvi_code *found = vvi_code_find(hash);

    return found && found->is_hash ? found->name : NULL;
}

bool vv_hash_by_name(const char *name, uint32_t *hash)
{
    const vvi_code *found = find_by_name(name, true);

    if (found)
        *hash = found->code;
    return found != NULL;
}
