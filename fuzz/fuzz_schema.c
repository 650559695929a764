/* Schemas of recordings as JSON: what is taken comes back as the same from its own text, and can be planned. */
#include "fuzz.h"

#include "recorder/plan.h"
#include "recorder/schema.h"
#include "recorder/sink.h"
#include "util/alloc.h"

static void check_plan(const vv_schema *schema)
{
    vv_recorder_options options = VV_RECORDER_OPTIONS_INIT;
    vv_schema *copy = NULL;
    vvi_plan plan = { 0 };
    vvi_layout layout;

    CHECK(vvi_schema_copy(schema, &copy, NULL) == VV_OK);
    if (vvi_recorder_plan(copy, &options, &plan, NULL) == VV_OK) {
        CHECK(vvi_recorder_layout(&plan, &layout, NULL) == VV_OK);
        CHECK(layout.fixed + layout.least <= plan.options.memory_bytes);
        for (size_t g = 0; g < plan.group_count; g++)
            for (size_t i = 0; i < plan.groups[g].leaf_count; i++)
                CHECK(plan.groups[g].leaves[i].chunk_rows % layout.groups[g].rows == 0 ||
                      plan.groups[g].kind != VVI_GROUP_ROWS);
        vvi_free(layout.groups);
    }
    vvi_plan_clear(&plan);
    vv_schema_free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    vv_buf text = VV_BUF_INIT, again = VV_BUF_INIT;
    vv_schema *schema = NULL, *second = NULL;
    char *json = malloc(len + 1);

    CHECK(json);
    memcpy(json, data, len);
    json[len] = '\0';
    if (vv_schema_from_json(json, &schema, NULL) == VV_OK) {
        CHECK(vv_schema_to_json(schema, &text, NULL) == VV_OK);
        CHECK(vv_schema_from_json((const char *)text.data, &second, NULL) == VV_OK);
        CHECK(vv_schema_to_json(second, &again, NULL) == VV_OK);
        CHECK(text.len == again.len && memcmp(text.data, again.data, text.len) == 0);
        check_plan(schema);
    }
    vv_buf_clear(&text);
    vv_buf_clear(&again);
    vv_schema_free(second);
    vv_schema_free(schema);
    free(json);
    return 0;
}
