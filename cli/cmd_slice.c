#include "coords.h"
#include "describe.h"
#include "slice.h"
#include "stores.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A selection is read in pieces of about so many bytes. */
#define PIECE_BYTES          ((uint64_t)32 << 20)
#define COORDINATE_BYTES_MAX ((uint64_t)64 << 20)

/* The coordinates of one dimension as they are stored, if there are any. */
static void read_coordinates(vv_store *store, const vv_array *of,
                             const cli_selection *selection, uint32_t dim, cli_axis *axis)
{
    vv_array *array = axis->count > COORDINATES_MAX ? NULL
                                                    : coordinates_open(store, of, dim);

    if (!array)
        return;
    size_t item = vv_array_get_meta(array)->item_size;
    if (item <= COORDINATE_BYTES_MAX / (axis->count ? axis->count : 1)) {
        size_t bytes = (size_t)axis->count * item;
        axis->coordinates = cli_alloc(bytes ? bytes : 1);
        if (vv_array_read(array, &selection->start[dim], &selection->count[dim],
                          &selection->step[dim], axis->coordinates, bytes,
                          NULL) == VV_OK) {
            axis->array = array;
            return;
        }
        free(axis->coordinates);
        axis->coordinates = NULL;
    }
    vv_array_free(array);
}

static void set_axes(vv_store *store, const vv_array *array,
                     const cli_selection *selection, bool by_index, cli_numbers *numbers)
{
    const vv_array_meta *meta = vv_array_get_meta(array);

    for (uint32_t i = 0; i < meta->ndim; i++) {
        if (selection->dropped[i])
            continue;
        const char *name = meta->dimension_names ? meta->dimension_names[i] : NULL;
        cli_axis *axis = &numbers->axes[numbers->ndim++];
        *axis = (cli_axis){ .name = name ? name : "",
                            .count = selection->count[i],
                            .start = selection->start[i],
                            .step = selection->step[i] };
        if (name && *name && !by_index && axis->count)
            read_coordinates(store, array, selection, i, axis);
    }
}

/* Where dimensions were dropped: "time = 366, lat = 0.25". To be freed. */
static char *describe_dropped(vv_store *store, const vv_array *array,
                              const cli_selection *selection)
{
    const vv_array_meta *meta = vv_array_get_meta(array);
    char *text = cli_strdup(""), label[CLI_ELEMENT_MAX];
    size_t cap = 1;

    for (uint32_t i = 0; i < meta->ndim; i++) {
        const char *name = meta->dimension_names ? meta->dimension_names[i] : NULL;
        cli_numbers one = { .ndim = 1 };
        if (!selection->dropped[i])
            continue;
        one.axes[0] = (cli_axis){ .count = 1, .start = selection->start[i], .step = 1 };
        read_coordinates(store, array, selection, i, &one.axes[0]);
        axis_label(&one.axes[0], 0, label);
        numbers_clear(&one);
        size_t len = strlen(text), more = (name ? strlen(name) : 0) + sizeof(label) + 32;
        text = cli_grow(text, &cap, len + more, 1);
        if (name && *name)
            snprintf(text + len, more, "%s%s = %s", len ? ", " : "", name, label);
        else
            snprintf(text + len, more, "%sdim %u = %s", len ? ", " : "", i, label);
    }
    return text;
}

/*
 * How a selection is cut: a piece has one place of each dimension above split, up to `places` of
 * split itself, each of place_bytes, and all below.
 */
typedef struct pieces {
    uint32_t split;
    uint64_t places;
    uint64_t place_bytes;
    uint64_t at[VV_NDIM_MAX]; /* places of the next piece, counted within the selection */
} pieces;

static pieces cut(const cli_selection *selection, size_t item)
{
    pieces cuts = { .split = selection->ndim, .places = 1, .place_bytes = item };

    while (cuts.split > 0) {
        uint64_t count = selection->count[--cuts.split];
        cuts.places = PIECE_BYTES / cuts.place_bytes ? PIECE_BYTES / cuts.place_bytes : 1;
        if (cuts.places < count || cuts.split == 0)
            break;
        cuts.place_bytes *= count;
    }
    if (selection->ndim && cuts.places > selection->count[cuts.split])
        cuts.places = selection->count[cuts.split];
    return cuts;
}

/* Go on to the next piece; false behind the last. */
static bool next_piece(pieces *cuts, const cli_selection *selection)
{
    if (selection->ndim == 0)
        return false;
    cuts->at[cuts->split] += cuts->places;
    for (uint32_t i = cuts->split; cuts->at[i] >= selection->count[i]; i--) {
        if (i == 0)
            return false;
        cuts->at[i] = 0;
        cuts->at[i - 1]++;
    }
    return true;
}

static vv_status read_piece(cli_call *call, vv_array *array,
                            const cli_selection *selection, const pieces *cuts,
                            uint8_t *piece, vv_varlen *texts, uint64_t *bytes)
{
    uint64_t start[VV_NDIM_MAX], count[VV_NDIM_MAX];

    *bytes = cuts->place_bytes;
    for (uint32_t i = 0; i < selection->ndim; i++) {
        uint64_t left = selection->count[i] - cuts->at[i];
        start[i] = selection->start[i] + cuts->at[i] * selection->step[i];
        count[i] = i < cuts->split       ? 1
                   : i > cuts->split     ? selection->count[i]
                   : left < cuts->places ? left
                                         : cuts->places;
        if (i == cuts->split)
            *bytes *= count[i];
    }
    if (!vv_dtype_is_variable(vv_array_get_meta(array)->dtype))
        return vv_array_read(array, start, count, selection->step, piece, (size_t)*bytes,
                             &call->err);
    vv_status status = vv_array_read_varlen(array, start, count, selection->step, texts,
                                            &call->err);
    if (!status)
        memcpy(piece, texts->items, (size_t)*bytes);
    return status;
}

/* Read all pieces and hand them on in order. */
static vv_status read_pieces(cli_call *call, vv_array *array,
                             const cli_selection *selection,
                             const cli_number_format *format, cli_numbers *numbers)
{
    vv_varlen texts = VV_VARLEN_INIT; /* what elements of any length point at */
    vv_status status;
    uint64_t bytes;

    for (uint32_t i = 0; i < selection->ndim; i++) {
        if (selection->count[i] == 0)
            return VV_OK;
    }
    pieces cuts = cut(selection, numbers->item);
    uint8_t *piece = cli_alloc((size_t)(cuts.place_bytes * cuts.places));
    do {
        status = read_piece(call, array, selection, &cuts, piece, &texts, &bytes);
        if (!status)
            status = format->elements(numbers, piece, (size_t)bytes / numbers->item);
    } while (!status && next_piece(&cuts, selection));
    vv_varlen_clear(&texts);
    free(piece);
    return status;
}

static vv_status choose_format(cli_call *call, const cli_number_format **out)
{
    bool csv = cli_has(call, "csv"), npy = cli_has(call, "npy");

    if (csv + npy + call->json > 1)
        return cli_usage(call, "--csv, --npy and --json exclude each other");
    if (npy && !cli_text(call, "output") && isatty(STDOUT_FILENO))
        return cli_usage(call, "standard output is a terminal; give --output FILE");
    if (call->json && cli_text(call, "output"))
        return cli_usage(call,
                         "--json goes to standard output; --output is for the others");
    *out = csv          ? &numbers_csv
           : npy        ? &numbers_npy
           : call->json ? &numbers_json
                        : &numbers_text;
    return VV_OK;
}

vv_status slice_write(cli_call *call, vv_store *store, vv_array *array,
                      const cli_selection *selection, const cli_slice_target *to)
{
    const cli_number_format *format = to->format;
    const vv_array_meta *meta = vv_array_get_meta(array);
    cli_result_file out = { NULL, NULL, NULL, NULL };
    cli_numbers numbers = {
        .out = &out, .path = vv_array_path(array), .array = array, .item = meta->item_size
    };
    char *units = attribute_text(meta->attributes, "units");

    numbers.units = units;
    if (format == &numbers_npy && !numbers_have_npy(meta)) {
        free(units);
        return cli_fail(call, VV_EUNSUPPORTED,
                        "NumPy's format has no type for elements of any length (%s)",
                        vv_dtype_name(meta->dtype));
    }
    bool talk = !to->path && isatty(STDOUT_FILENO);
    char *selected = talk ? describe_dropped(store, array, selection) : NULL;
    numbers.selection = selected;
    vv_status status = result_open(call, to->path, &out);
    set_axes(store, array, selection, to->by_index, &numbers);
    if (!status)
        status = format->begin(&numbers);
    if (!status)
        status = read_pieces(call, array, selection, format, &numbers);
    if (!status)
        status = format->end(&numbers);
    if (!status)
        status = result_commit(&out);
    result_clear(&out);
    numbers_clear(&numbers);
    free(selected);
    free(units);
    return status;
}

vv_status cmd_slice(cli_call *call)
{
    const cli_number_format *format = NULL;
    const char *inside;
    vv_array *array = NULL;
    vv_store *store = NULL;
    cli_selection selection;

    vv_status status = choose_format(call, &format);
    if (!status)
        status = cli_open_root(call, call->args[0], &store);
    if (!status)
        status = select_open(call, store, call->args[1], &array, &inside);
    if (!status) {
        status = select_resolve(call, inside, vv_array_get_meta(array), &selection);
        if (!status)
            status = select_all_at(call, store, array, &selection);
        if (status)
            cli_wrap(call, status, "%.100s", call->args[1]);
    }
    if (!status) {
        cli_slice_target to = { .format = format,
                                .path = cli_text(call, "output"),
                                .by_index = cli_has(call, "index") ||
                                            cli_has(call, "npy") };

        status = slice_write(call, store, array, &selection, &to);
    }
    vv_array_free(array);
    vv_store_free(store);
    return status;
}
