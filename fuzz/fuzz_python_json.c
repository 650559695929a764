/*
 * A document written anew as Python writes it, in one line and with blanks: writing what was written again
 * changes nothing, the other reader of JSON reads it where it read the text, and an edit leaves JSON.
 */
#include "fuzz.h"

#include "sharded/python_json.h"
#include "util/buf.h"
#include "json/json.h"

static void check_again(const vv_buf *written, unsigned indent)
{
    vv_buf again = VV_BUF_INIT;

    CHECK(vvi_python_json(vvi_buf_bytes(written), NULL, indent, &again, NULL) == VV_OK);
    CHECK(vvi_bytes_equal(vvi_buf_bytes(written), vvi_buf_bytes(&again)));
    vv_buf_clear(&again);
}

static bool is_json(vv_bytes text)
{
    vvi_json *tree = NULL;
    bool good = vvi_json_parse(text, &tree, NULL) == VV_OK;

    vvi_json_free(tree);
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const uint64_t shape[] = { 3, 4 };
    const vvi_python_edit edit = {
        .remove = "a", .set = "shape", .numbers = shape, .count = 2
    };
    vv_bytes text = { data, len };
    vv_buf line = VV_BUF_INIT;
    vv_buf blanks = VV_BUF_INIT;
    vv_buf edited = VV_BUF_INIT;
    vv_status status = vvi_python_json(text, NULL, 0, &line, NULL);

    CHECK(status == VV_OK || status == VV_ECORRUPT || status == VV_ELIMIT);
    /* It takes all that the other reader takes, and lone surrogates, zeros in names and deeper ones beside. */
    CHECK(status == VV_OK || !is_json(text));
    if (status == VV_OK) {
        check_again(&line, 0);
        CHECK(vvi_python_json(text, NULL, 2, &blanks, NULL) == VV_OK);
        check_again(&blanks, 2);
        CHECK(!is_json(text) || is_json(vvi_buf_bytes(&line)));
        if (vvi_python_json(text, &edit, 0, &edited, NULL) == VV_OK) {
            check_again(&edited, 0);
            CHECK(!is_json(text) || is_json(vvi_buf_bytes(&edited)));
        }
    }
    vv_buf_clear(&line);
    vv_buf_clear(&blanks);
    vv_buf_clear(&edited);
    return 0;
}
