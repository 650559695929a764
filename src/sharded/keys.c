/*
 * Which keys are chunks.
 *
 * In version 2 a key belongs to the array whose path stands in front of its coordinates, in the forms
 * path/c/0/1, path/0.1 and path/0/1. In version 1 there is one index, of whichever array came first, and
 * only the first of these forms. Everything else is kept by name.
 */
#include "sharded/store.h"

#include "util/buf.h"

#include <string.h>

static bool ends_with(const char *key, size_t len, const char *end)
{
    size_t end_len = strlen(end);

    return len >= end_len && memcmp(key + len - end_len, end, end_len) == 0;
}

static const char *name_of(const char *key)
{
    const char *slash = strrchr(key, '/');

    return slash ? slash + 1 : key;
}

bool vvi_key_is_array_document(const char *key, size_t *path_len)
{
    const char *name = name_of(key);

    *path_len = name == key ? 0 : (size_t)(name - key) - 1;
    return strcmp(name, "zarr.json") == 0 || strcmp(name, ".zarray") == 0;
}

bool vvi_key_is_document(const char *key)
{
    size_t len;

    return vvi_key_is_array_document(key, &len) || strcmp(name_of(key), ".zgroup") == 0;
}

/* Kept by name whatever stands in front of it. */
static bool is_named(const vvi_sharded *self, const char *key, size_t len)
{
    static const char *const ends[] = { "zarr.json", ".zarray", ".zattrs", ".zgroup" };

    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
        if (ends_with(key, len, ends[i]))
            return true;
    return self->without_primary && self->version == VV_SHARDED_V1 &&
           ends_with(key, len, ".json");
}

bool vvi_path_is_coordinate(const char *path, size_t len)
{
    static const char *const names[] = {
        "time", "lat", "lon", "latitude", "longitude", "forecast_reference_time", "step"
    };
    size_t start = len;

    while (start && path[start - 1] != '/')
        start--;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (strlen(names[i]) == len - start &&
            memcmp(path + start, names[i], len - start) == 0)
            return true;
    return false;
}

/* ---- coordinates ------------------------------------------------------------------------------- */

typedef enum digits {
    NO_DIGITS,
    LONG_DIGITS, /* with zeros in front */
    GOOD_DIGITS
} digits;

/* One number; one past 64 bits lies outside any grid, as UINT64_MAX does. */
static digits read_number(const char *text, size_t len, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned digit = (unsigned)(text[i] - '0');

        if (digit > 9)
            return NO_DIGITS;
        *out = *out > (UINT64_MAX - digit) / 10 ? UINT64_MAX : *out * 10 + digit;
    }
    return len == 0 ? NO_DIGITS : len > 1 && text[0] == '0' ? LONG_DIGITS : GOOD_DIGITS;
}

/* Read all of text as numbers with a separator between; *n is how many, also past what out takes. */
static digits read_coords(const char *text, char separator,
                          uint64_t out[VVI_GRID_NDIM_MAX], size_t *n)
{
    digits worst = GOOD_DIGITS;

    for (*n = 0;; ++*n) {
        const char *end = strchr(text, separator);
        size_t len = end ? (size_t)(end - text) : strlen(text);
        uint64_t number;
        digits one = read_number(text, len, &number);

        if (one < worst)
            worst = one;
        if (worst == NO_DIGITS)
            return worst;
        if (*n < VVI_GRID_NDIM_MAX)
            out[*n] = number;
        if (!end) {
            ++*n;
            return worst;
        }
        text = end + 1;
    }
}

static void set_chunk(vvi_chunk_place *out, vvi_index_entry *entry)
{
    out->kind = VVI_KEY_CHUNK;
    out->array = entry;
    out->path = entry->path;
    out->path_len = strlen(entry->path);
}

static void set_bad(vvi_chunk_place *out, vv_status why)
{
    out->kind = VVI_KEY_BAD;
    out->why = why;
}

/* ---- version 2 ------------------------------------------------------------------------------------ */

/* Do the text's numbers name a chunk of the array at this path? */
static bool try_classic(const vvi_sharded *self, const char *key, size_t path_len,
                        const char *text, char separator, vvi_chunk_place *out)
{
    vvi_index_entry *entry = vvi_sharded_find(self, key, path_len);
    size_t n;
    digits kind;

    if (!entry)
        return false;
    kind = read_coords(text, separator, out->coords, &n);
    if (kind == NO_DIGITS || n != entry->ndim)
        return false;
    if (kind == LONG_DIGITS)
        set_bad(out, VV_EINVAL);
    else
        set_chunk(out, entry);
    return true;
}

/* The forms of Zarr 2: path/0.1, and path/0/1 with the longest path that fits. */
static bool place_classic(const vvi_sharded *self, const char *key, size_t len,
                          vvi_chunk_place *out)
{
    const char *name = name_of(key);
    size_t pieces = 0;

    out->is_listed = false;
    if (self->array_count == 0)
        return false;
    if (strchr(name, '.') &&
        try_classic(self, key, name == key ? 0 : (size_t)(name - key) - 1, name, '.',
                    out))
        return true;
    for (size_t at = len; at-- > 0 && pieces < VVI_GRID_NDIM_MAX;)
        if (key[at] == '/') {
            uint64_t number;

            /* From the right, so that the first piece that is no number ends the search. */
            if (try_classic(self, key, at, key + at + 1, '/', out))
                return true;
            if (read_number(key + at + 1, strcspn(key + at + 1, "/"), &number) ==
                NO_DIGITS)
                return false;
            pieces++;
        }
    return try_classic(self, key, 0, key, '/', out);
}

/* Where "c/" stands in front of coordinates: they, and the path before. NULL: nowhere. */
static const char *find_marker(const char *key, const char **path, size_t *path_len)
{
    const char *marker = NULL;
    const char *end = key + strlen(key);

    /* Nearly all end so: /c/ and then nothing but digits and slashes. */
    while (end > key && (end[-1] == '/' || (end[-1] >= '0' && end[-1] <= '9')))
        end--;
    if (end - key >= 2 && end[-1] == 'c' && end[-2] == '/' && *end == '/') {
        *path = key;
        *path_len = (size_t)(end - 2 - key);
        vvi_path_strip(path, path_len);
        return end + 1;
    }
    for (const char *at = strstr(key, "/c/"); at; at = strstr(at + 1, "/c/"))
        marker = at;
    *path = key;
    if (!marker) {
        *path_len = 0;
        return strncmp(key, "c/", 2) == 0 ? key + 2 : NULL;
    }
    *path_len = (size_t)(marker - key);
    vvi_path_strip(path, path_len);
    return marker + 3;
}

static void place_v2(const vvi_sharded *self, const char *key, size_t len,
                     vvi_chunk_place *out)
{
    const char *coords = find_marker(key, &out->path, &out->path_len);
    vvi_index_entry *entry;
    size_t n;

    if (!coords) {
        if (!place_classic(self, key, len, out))
            out->kind = VVI_KEY_NAME;
        return;
    }
    if (read_coords(coords, '/', out->coords, &n) == GOOD_DIGITS) {
        const char *path = out->path;
        size_t path_len = out->path_len;

        entry = vvi_sharded_find(self, path, path_len);
        if (entry && n == entry->ndim) {
            set_chunk(out, entry);
            out->is_listed = key[0] != '/';
            return;
        }
        if (place_classic(self, key, len, out))
            return;
        if (entry) {
            set_bad(out, VV_ERANGE);
            return;
        }
        out->kind = VVI_KEY_NO_ARRAY;
        out->path = path;
        out->path_len = path_len;
    } else if (!place_classic(self, key, len, out)) {
        set_bad(out, VV_EINVAL);
    }
}

/* ---- version 1 ------------------------------------------------------------------------------------ */

/* Is there a document of the array at path? */
static vv_status has_document(const vvi_sharded *self, const char *path, size_t len,
                              bool *found)
{
    static const char *const names[] = { "/zarr.json", "/.zarray" };
    vv_buf key = VV_BUF_INIT;
    vv_status status = VV_OK;

    *found = false;
    for (size_t i = 0; i < 2 && !*found && !status; i++) {
        key.len = 0;
        status = vvi_buf_append(&key, vvi_bytes(path, len), NULL);
        if (!status)
            status = vvi_buf_append_text(&key, names[i], NULL);
        if (!status)
            *found = vvi_named_has(&self->names, (const char *)key.data, key.len);
    }
    vv_buf_clear(&key);
    return status;
}

static void place_v1(const vvi_sharded *self, const char *key, vvi_chunk_place *out)
{
    const char *coords = find_marker(key, &out->path, &out->path_len);
    vvi_index_entry *entry = self->arrays[0];
    bool is_at_root = key[0] == 'c' && out->path_len == 0;
    digits kind;
    size_t n;

    out->kind = VVI_KEY_NAME;
    if (!coords || vvi_path_is_coordinate(out->path, out->path_len))
        return;
    if (is_at_root && !(self->primary_recorded && self->primary && !*self->primary))
        return;
    if (self->primary && (strlen(self->primary) != out->path_len ||
                          memcmp(self->primary, out->path, out->path_len) != 0))
        return;
    kind = read_coords(coords, '/', out->coords, &n);
    if (kind != GOOD_DIGITS) {
        set_bad(out, VV_EINVAL);
        return;
    }
    if (n != entry->ndim) {
        bool named = self->without_primary;
        vv_status status = VV_OK;

        if (!self->primary && out->path_len && !named)
            status = has_document(self, out->path, out->path_len, &named);
        if (self->primary || !out->path_len || !named)
            set_bad(out, status ? status : VV_ERANGE);
        return;
    }
    out->kind = VVI_KEY_CHUNK;
    out->array = entry;
    out->is_listed = self->primary && *self->primary && key[0] != '/';
}

void vvi_key_place(const vvi_sharded *self, const char *key, vvi_chunk_place *out)
{
    size_t len = strlen(key);

    out->kind = VVI_KEY_NAME;
    out->array = NULL;
    out->is_listed = false;
    out->why = VV_OK;
    if (is_named(self, key, len))
        return;
    if (self->version == VV_SHARDED_V2)
        place_v2(self, key, len, out);
    else
        place_v1(self, key, out);
}

/* What stands in front of the coordinates of listed keys, as path and "/c" or "c". */
static const char *listed_path(const vvi_sharded *self, const vvi_index_entry *entry,
                               const char **marker)
{
    const char *path = entry->path;
    bool slash = *path != '\0';

    /* In version 1 chunks of an array that is not known are listed as /c/0/0. */
    if (self->version == VV_SHARDED_V1) {
        path = self->primary ? self->primary : "";
        slash = *path || !(self->primary && self->primary_recorded);
    }
    *marker = slash ? "/c" : "c";
    return path;
}

vv_status vvi_chunk_key_append(const vvi_sharded *self, const vvi_index_entry *entry,
                               const uint64_t *coords, vv_buf *out, vv_error *err)
{
    const char *marker, *path = listed_path(self, entry, &marker);

    VVI_TRY(vvi_buf_append_text(out, path, err));
    VVI_TRY(vvi_buf_append_text(out, marker, err));
    for (uint32_t i = 0; i < entry->ndim; i++) {
        char text[21], *at = text + sizeof(text);
        uint64_t rest = coords[i];

        do
            *--at = (char)('0' + rest % 10);
        while (rest /= 10);
        *--at = '/';
        VVI_TRY(
            vvi_buf_append(out, vvi_bytes(at, (size_t)(text + sizeof(text) - at)), err));
    }
    return vvi_buf_append_byte(out, 0, err);
}

bool vvi_chunks_may_begin(const vvi_sharded *self, const vvi_index_entry *entry,
                          const char *prefix)
{
    const char *marker, *parts[3] = { listed_path(self, entry, &marker), marker, "/" };

    for (size_t i = 0; i < 3; i++)
        for (const char *at = parts[i]; *at; at++, prefix++)
            if (*prefix == '\0' || *prefix != *at)
                return *prefix == '\0';
    return true;
}
