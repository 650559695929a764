/* What comes from servers and users of a Kubo store: JSON answers, headers, URLs. The first byte says which. */
#include "fuzz.h"

#include "kubo/kubo.h"
#include "util/alloc.h"
#include "util/buf.h"

#include <string.h>

static void read_answers(vv_bytes text)
{
    vvi_http_request request = { .answer = { (uint8_t *)(uintptr_t)text.data, text.len, 0,
                                             NULL, NULL } };
    char reason[64];
    vv_cid cid;

    (void)vvi_kubo_read_name(text, "Hash", &cid, NULL);
    vvi_kubo_reason(&request, reason, sizeof(reason));
    for (const char *c = reason; *c; c++)
        CHECK((unsigned char)*c >= 32 && *c != 127);
}

/* An accepted part is the part that was asked for. */
static void read_content_range(const char *text)
{
    const vv_range ranges[] = { VV_RANGE_OF(2, 3), VV_RANGE_AT(4), VV_RANGE_SUFFIX(3),
                                VV_RANGE_ALL };

    for (size_t i = 0; i < sizeof(ranges) / sizeof(*ranges); i++) {
        static const uint32_t statuses[] = { 200, 206, 416 };

        for (size_t s = 0; s < 3; s++) {
            vv_buf body = VV_BUF_INIT;

            if (vvi_buf_set(&body, vv_bytes_of("abc"), NULL) == VV_OK) {
                vv_status status = vvi_kubo_check_range(ranges[i], statuses[s], text,
                                                        &body, NULL);

                CHECK(status != VV_OK || statuses[s] != 206 || i != 3);
                CHECK(body.len <= 3);
            }
            vv_buf_clear(&body);
        }
    }
}

static void read_url(const char *text)
{
    vvi_http_origin origin;
    vvi_kubo_url url;
    char *gateway = NULL;
    char shown[64];

    if (vvi_kubo_url_parse(text, &url, NULL) == VV_OK)
        vvi_kubo_url_clear(&url);
    (void)vvi_http_origin_of(text, &origin, NULL);
    vvi_http_redact(text, shown, sizeof(shown));
    CHECK(!strchr(shown, '?'));
    if (vvi_kubo_gateway_url(text, true, &gateway, NULL) == VV_OK)
        CHECK(strlen(gateway) >= 6 &&
              strcmp(gateway + strlen(gateway) - 6, "/ipfs/") == 0);
    vvi_free(gateway);
    (void)vvi_kubo_chunker_is_valid(text);
}

static void read_retry_after(const char *text)
{
    double wait = vvi_http_delay(1, 2, 1, 0.5, text, 1700000000u * (uint64_t)1000000000);

    CHECK(wait >= 0 && wait <= 300);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char *text;

    if (len == 0)
        return 0;
    text = vvi_strndup((const char *)data + 1, len - 1);
    if (!text)
        return 0;
    switch (data[0] % 4) {
    case 0:
        read_answers((vv_bytes){ data + 1, len - 1 });
        break;
    case 1:
        read_content_range(text);
        break;
    case 2:
        read_url(text);
        break;
    default:
        read_retry_after(text);
        break;
    }
    vvi_free(text);
    return 0;
}
