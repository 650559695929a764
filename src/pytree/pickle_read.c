/*
 * Trees from pickles, by reading only: no class is looked up, nothing is called.
 *
 * The opcodes are those that a PyTreeDef and its plain values need, of protocols 2 to 5. What they
 * build is data; anything else is refused with its offset. Source: docs/format/tree.md, "Pickle".
 */
#include "pytree/tree.h"

#include "util/alloc.h"
#include "util/buf.h"
#include "util/endian.h"

#include <string.h>

#define PICKLE_BYTES_MAX ((size_t)64 << 20)
#define SMALL_INTS       256

typedef struct machine {
    vv_bytes in;
    size_t at, opcode_at;
    vvi_py **stack; /* held */
    size_t count, cap;
    size_t *marks; /* heights of the stack */
    size_t mark_count, mark_cap;
    vvi_py **memo; /* held; NULL: nothing under this number */
    size_t memo_count, memo_cap;
    vvi_py *none, *truth[2], *small[SMALL_INTS]; /* made once; NULL: not yet */
    vvi_py *object;                              /* the PyTreeDef; on the stack too */
    vvi_py *state;                               /* what it was given; held */
    vv_error *err;
} machine;

static vv_status refuse(const machine *self, const char *why)
{
    return vvi_fail(self->err, VV_ECORRUPT, "%s", why);
}

/* ---- input --------------------------------------------------------------------------------- */

static vv_status take(machine *self, size_t len, const uint8_t **out)
{
    if (len > self->in.len - self->at)
        return refuse(self, "the data ends");
    *out = self->in.data + self->at;
    self->at += len;
    return VV_OK;
}

/* A little-endian length of 1, 4 or 8 bytes. */
static vv_status take_length(machine *self, size_t width, size_t *out)
{
    const uint8_t *bytes;
    uint64_t length;

    VVI_TRY(take(self, width, &bytes));
    length = width == 1   ? bytes[0]
             : width == 4 ? vvi_get_le32(bytes)
                          : vvi_get_le64(bytes);
    if (length > self->in.len)
        return refuse(self, "a length past the end");
    *out = (size_t)length;
    return VV_OK;
}

/* Text up to the end of the line. */
static vv_status take_line(machine *self, vv_bytes *out)
{
    const uint8_t *from = self->in.data + self->at;
    const uint8_t *end = memchr(from, '\n', self->in.len - self->at);

    if (!end)
        return refuse(self, "a line without an end");
    *out = vvi_bytes(from, (size_t)(end - from));
    self->at += out->len + 1;
    return VV_OK;
}

/* ---- stack --------------------------------------------------------------------------------- */

/* Takes value, also on failure; NULL: out of memory. */
static vv_status push(machine *self, vvi_py *value)
{
    vv_status status = value ? vvi_grow((void **)&self->stack, &self->cap,
                                        self->count + 1, sizeof(value), self->err)
                             : vvi_fail_nomem(self->err, sizeof(*value));

    if (status) {
        vvi_py_free(value);
        return status;
    }
    self->stack[self->count++] = value;
    return VV_OK;
}

/* Values above the last mark. */
static size_t floor_of(const machine *self)
{
    return self->mark_count ? self->marks[self->mark_count - 1] : 0;
}

static vv_status need(const machine *self, size_t count)
{
    return self->count - floor_of(self) < count ? refuse(self, "too few values") : VV_OK;
}

static vvi_py *top(const machine *self, size_t below)
{
    return self->stack[self->count - 1 - below];
}

static void drop(machine *self, size_t count)
{
    while (count--)
        vvi_py_free(self->stack[--self->count]);
}

static vv_status pop_mark(machine *self, size_t *first)
{
    if (!self->mark_count)
        return refuse(self, "no mark");
    *first = self->marks[--self->mark_count];
    return VV_OK;
}

/* A container of kind, of the values from number first on, in their place. */
static vv_status gather(machine *self, vvi_py_kind kind, size_t first)
{
    vvi_py *made = vvi_py_new(kind);
    vv_status status = made ? VV_OK : vvi_fail_nomem(self->err, sizeof(*made));

    for (size_t i = first; i < self->count && !status; i++)
        status = vvi_py_append(made, vvi_py_retain(self->stack[i]), self->err);
    if (status) {
        vvi_py_free(made);
        return status;
    }
    drop(self, self->count - first);
    return push(self, made);
}

/* Put the values from number first on into the container below them. */
static vv_status append_all(machine *self, vvi_py_kind kind, size_t first)
{
    vvi_py *into;

    if (first == 0 || first - 1 < floor_of(self))
        return refuse(self, "nothing to put values into");
    into = self->stack[first - 1];
    if (into->kind != kind || (kind == VVI_PY_DICT && (self->count - first) % 2))
        return refuse(self, "values for another container");
    for (size_t i = first; i < self->count; i++)
        VVI_TRY(vvi_py_append(into, vvi_py_retain(self->stack[i]), self->err));
    drop(self, self->count - first);
    return VV_OK;
}

/* ---- memo ---------------------------------------------------------------------------------- */

static vv_status store(machine *self, size_t number)
{
    VVI_TRY(need(self, 1));
    /* No writer leaves gaps, so a number is at most one past those that are there. */
    if (number > self->memo_count)
        return refuse(self, "a memo number that leaves a gap");
    VVI_TRY(vvi_grow((void **)&self->memo, &self->memo_cap, number + 1,
                     sizeof(*self->memo), self->err));
    if (number == self->memo_count)
        self->memo[self->memo_count++] = NULL;
    vvi_py_free(self->memo[number]);
    self->memo[number] = vvi_py_retain(top(self, 0));
    return VV_OK;
}

static vv_status recall(machine *self, size_t number)
{
    if (number >= self->memo_count)
        return refuse(self, "a memo number that is not there");
    return push(self, vvi_py_retain(self->memo[number]));
}

/* ---- values -------------------------------------------------------------------------------- */

static vv_status push_small(machine *self, size_t number)
{
    if (number >= SMALL_INTS)
        return push(self, vvi_py_int((int64_t)number));
    if (!self->small[number])
        self->small[number] = vvi_py_int((int64_t)number);
    return push(self, self->small[number] ? vvi_py_retain(self->small[number]) : NULL);
}

static vv_status push_bool(machine *self, bool truth)
{
    if (!self->truth[truth] && (self->truth[truth] = vvi_py_new(VVI_PY_BOOL)))
        self->truth[truth]->boolean = truth;
    return push(self, self->truth[truth] ? vvi_py_retain(self->truth[truth]) : NULL);
}

static vv_status push_none(machine *self)
{
    if (!self->none)
        self->none = vvi_py_new(VVI_PY_NONE);
    return push(self, self->none ? vvi_py_retain(self->none) : NULL);
}

static vv_status push_data(machine *self, vvi_py_kind kind, size_t width)
{
    const uint8_t *data;
    size_t len;

    VVI_TRY(take_length(self, width, &len));
    VVI_TRY(take(self, len, &data));
    if (kind == VVI_PY_INT)
        return push(self, vvi_py_int_bytes(vvi_bytes(data, len)));
    if (kind == VVI_PY_TEXT && !vvi_is_utf8(vvi_bytes(data, len)))
        return refuse(self, "a text that is not UTF-8");
    return push(self, vvi_py_data(kind, vvi_bytes(data, len)));
}

static vv_status push_float(machine *self)
{
    const uint8_t *data;
    vvi_py *value;
    uint64_t bits;

    VVI_TRY(take(self, 8, &data));
    value = vvi_py_new(VVI_PY_FLOAT);
    bits = vvi_get_be64(data);
    if (value)
        memcpy(&value->u.number, &bits, sizeof(bits));
    return push(self, value);
}

static vv_status push_global(machine *self)
{
    vv_bytes module, name;

    VVI_TRY(take_line(self, &module));
    VVI_TRY(take_line(self, &name));
    if (!vvi_is_utf8(module) || !vvi_is_utf8(name))
        return refuse(self, "a name that is not UTF-8");
    VVI_TRY(push(self, vvi_py_data(VVI_PY_TEXT, module)));
    VVI_TRY(push(self, vvi_py_data(VVI_PY_TEXT, name)));
    return gather(self, VVI_PY_CLASS, self->count - 2);
}

static vv_status stack_global(machine *self)
{
    VVI_TRY(need(self, 2));
    if (top(self, 0)->kind != VVI_PY_TEXT || top(self, 1)->kind != VVI_PY_TEXT)
        return refuse(self, "a global that is not named by two texts");
    return gather(self, VVI_PY_CLASS, self->count - 2);
}

static vv_status new_object(machine *self)
{
    VVI_TRY(need(self, 2));
    if (top(self, 1)->kind != VVI_PY_CLASS || top(self, 0)->kind != VVI_PY_TUPLE)
        return refuse(self, "an object that is not of a class and its arguments");
    return gather(self, VVI_PY_INSTANCE, self->count - 2);
}

static bool is_tree_type(const vvi_py *type)
{
    return vvi_bytes_start_with(vvi_py_bytes(type->u.list.items[0]),
                                vv_bytes_of("jaxlib.")) &&
           vvi_bytes_equal(vvi_py_bytes(type->u.list.items[1]), vv_bytes_of("PyTreeDef"));
}

/* Only the tree itself is given a state, and once. */
static vv_status build(machine *self)
{
    vvi_py *object;

    VVI_TRY(need(self, 2));
    object = top(self, 1);
    if (self->state || object->kind != VVI_PY_INSTANCE ||
        !is_tree_type(object->u.list.items[0]) || object->u.list.items[1]->u.list.count)
        return refuse(self, "a state for what is no PyTreeDef");
    self->object = object;
    self->state = vvi_py_retain(top(self, 0));
    drop(self, 1);
    return VV_OK;
}

/* ---- opcodes ------------------------------------------------------------------------------- */

static vv_status run_marked(machine *self, uint8_t opcode)
{
    size_t first;

    VVI_TRY(pop_mark(self, &first));
    switch (opcode) {
    case 't':
        return gather(self, VVI_PY_TUPLE, first);
    case 'e':
        return append_all(self, VVI_PY_LIST, first);
    case 'u':
        return append_all(self, VVI_PY_DICT, first);
    case 0x90:
        return append_all(self, VVI_PY_SET, first);
    default:
        return gather(self, VVI_PY_FROZENSET, first);
    }
}

static vv_status run_some(machine *self, uint8_t opcode)
{
    size_t count = opcode == 'a' ? 1 : opcode == 's' ? 2 : (size_t)opcode - 0x84;

    VVI_TRY(need(self, count));
    if (opcode == 'a')
        return append_all(self, VVI_PY_LIST, self->count - count);
    if (opcode == 's')
        return append_all(self, VVI_PY_DICT, self->count - count);
    return gather(self, VVI_PY_TUPLE, self->count - count);
}

static vv_status run_number(machine *self, uint8_t opcode)
{
    const uint8_t *data;
    size_t width = opcode == 'K' ? 1 : opcode == 'M' ? 2 : 4;

    VVI_TRY(take(self, width, &data));
    if (width == 1)
        return push_small(self, data[0]);
    if (width == 2)
        return push_small(self, (size_t)(data[0] | data[1] << 8));
    return push(self, vvi_py_int((int32_t)vvi_get_le32(data)));
}

static vv_status run_memo(machine *self, uint8_t opcode)
{
    size_t number;

    if (opcode == 0x94)
        return store(self, self->memo_count);
    VVI_TRY(take_length(self, opcode == 'h' || opcode == 'q' ? 1 : 4, &number));
    return opcode == 'h' || opcode == 'j' ? recall(self, number) : store(self, number);
}

static vv_status run_frame(machine *self)
{
    size_t len;

    VVI_TRY(take_length(self, 8, &len));
    return len > self->in.len - self->at ? refuse(self, "a frame past the end") : VV_OK;
}

static vv_status run_protocol(machine *self)
{
    const uint8_t *version;

    VVI_TRY(take(self, 1, &version));
    return *version < 2 || *version > 5 ? refuse(self, "an unknown protocol") : VV_OK;
}

static vv_status push_mark(machine *self)
{
    VVI_TRY(vvi_grow((void **)&self->marks, &self->mark_cap, self->mark_count + 1,
                     sizeof(*self->marks), self->err));
    self->marks[self->mark_count++] = self->count;
    return VV_OK;
}

/* One table of what is known; everything else, calls above all, is refused. */
static vv_status run_opcode(machine *self, uint8_t opcode)
{
    switch (opcode) {
    case 0x80:
        return run_protocol(self);
    case 0x95:
        return run_frame(self);
    case '(':
        return push_mark(self);
    case 'N':
        return push_none(self);
    case 0x88:
    case 0x89:
        return push_bool(self, opcode == 0x88);
    case 'K':
    case 'M':
    case 'J':
        return run_number(self, opcode);
    case 0x8A:
        return push_data(self, VVI_PY_INT, 1);
    case 0x8B:
        return push_data(self, VVI_PY_INT, 4);
    case 'G':
        return push_float(self);
    case 0x8C:
        return push_data(self, VVI_PY_TEXT, 1);
    case 'X':
        return push_data(self, VVI_PY_TEXT, 4);
    case 0x8D:
        return push_data(self, VVI_PY_TEXT, 8);
    case 'C':
        return push_data(self, VVI_PY_BYTES, 1);
    case 'B':
        return push_data(self, VVI_PY_BYTES, 4);
    case 0x8E:
        return push_data(self, VVI_PY_BYTES, 8);
    case ')':
        return push(self, vvi_py_new(VVI_PY_TUPLE));
    case ']':
        return push(self, vvi_py_new(VVI_PY_LIST));
    case '}':
        return push(self, vvi_py_new(VVI_PY_DICT));
    case 0x8F:
        return push(self, vvi_py_new(VVI_PY_SET));
    case 't':
    case 'e':
    case 'u':
    case 0x90:
    case 0x91:
        return run_marked(self, opcode);
    case 'a':
    case 's':
    case 0x85:
    case 0x86:
    case 0x87:
        return run_some(self, opcode);
    case 'c':
        return push_global(self);
    case 0x93:
        return stack_global(self);
    case 0x81:
        return new_object(self);
    case 'b':
        return build(self);
    case 'h':
    case 'j':
    case 'q':
    case 'r':
    case 0x94:
        return run_memo(self, opcode);
    default:
        return vvi_fail(self->err, VV_ECORRUPT,
                        "opcode 0x%02x, which a tree does not need", opcode);
    }
}

static vv_status run(machine *self)
{
    const uint8_t *opcode;

    do {
        self->opcode_at = self->at;
        VVI_TRY(take(self, 1, &opcode));
        if (*opcode != '.')
            VVI_TRY(run_opcode(self, *opcode));
    } while (*opcode != '.');
    if (!self->state || self->mark_count || self->count != 1 ||
        top(self, 0) != self->object)
        return refuse(self, "no PyTreeDef");
    return VV_OK;
}

static void machine_clear(machine *self)
{
    drop(self, self->count);
    for (size_t i = 0; i < self->memo_count; i++)
        vvi_py_free(self->memo[i]);
    for (size_t i = 0; i < SMALL_INTS; i++)
        vvi_py_free(self->small[i]);
    vvi_py_free(self->none);
    vvi_py_free(self->truth[0]);
    vvi_py_free(self->truth[1]);
    vvi_py_free(self->state);
    vvi_free(self->stack);
    vvi_free(self->marks);
    vvi_free(self->memo);
}

/* ---- from the state to a tree ----------------------------------------------------------------- */

/* Nodes that have no parent yet. */
typedef struct orphans {
    vvi_tree_node **nodes;
    size_t count, cap;
} orphans;

static bool get_count(const vvi_py *value, size_t *out)
{
    int64_t number;

    if (value->kind != VVI_PY_INT || !vvi_py_fits_int64(value, &number) || number < 0)
        return false;
    *out = (size_t)number;
    return true;
}

/* Which of data and type a node of each kind has. */
static bool has_right_parts(vvi_node_kind kind, const vvi_py *data, const vvi_py *type)
{
    bool custom = kind == VVI_TREE_CUSTOM || kind == VVI_TREE_DATACLASS;

    if (custom ? type->kind != VVI_PY_CLASS : type->kind != VVI_PY_NONE)
        return false;
    if (kind == VVI_TREE_NAMEDTUPLE)
        return data->kind == VVI_PY_CLASS;
    if (kind == VVI_TREE_DICT)
        return data->kind == VVI_PY_LIST;
    return custom || data->kind == VVI_PY_NONE;
}

/* Take the last arity orphans as children of node. */
static vv_status adopt(vvi_tree_node *node, size_t arity, orphans *from, vv_error *err)
{
    if (arity > from->count)
        return vvi_fail(err, VV_ECORRUPT, "a node of %zu children where %zu are left",
                        arity, from->count);
    if ((node->kind == VVI_TREE_LEAF || node->kind == VVI_TREE_NONE) && arity)
        return vvi_fail(err, VV_ECORRUPT, "a leaf with children");
    if (node->keys && node->keys->u.list.count != arity)
        return vvi_fail(err, VV_ECORRUPT, "a dict of %zu keys and %zu children",
                        node->keys->u.list.count, arity);
    node->children = vvi_alloc_array(arity, sizeof(*node->children));
    if (!node->children)
        return vvi_fail_nomem(err, arity * sizeof(*node->children));
    from->count -= arity;
    memcpy(node->children, from->nodes + from->count, arity * sizeof(*node->children));
    node->count = arity;
    return vvi_tree_node_close(node, err);
}

static vv_status read_node(const vvi_py *state, orphans *all, vv_error *err)
{
    vvi_py *const *parts = state->u.list.items;
    size_t kind, arity, leaves, nodes;
    vvi_tree_node *node;
    vv_status status;

    if (state->kind != VVI_PY_TUPLE || state->u.list.count != 6 ||
        !get_count(parts[0], &kind) || !get_count(parts[1], &arity) ||
        !get_count(parts[4], &leaves) || !get_count(parts[5], &nodes) ||
        kind >= VVI_TREE_KINDS ||
        !has_right_parts((vvi_node_kind)kind, parts[2], parts[3]))
        return vvi_fail(err, VV_ECORRUPT, "what is no node of a tree");
    VVI_TRY(vvi_grow((void **)&all->nodes, &all->cap, all->count + 1, sizeof(node), err));
    node = vvi_tree_node_new((vvi_node_kind)kind);
    if (!node)
        return vvi_fail_nomem(err, sizeof(*node));
    if (kind == VVI_TREE_DICT)
        node->keys = vvi_py_retain(parts[2]);
    if (kind == VVI_TREE_NAMEDTUPLE)
        node->type = vvi_py_retain(parts[2]);
    if (kind == VVI_TREE_CUSTOM || kind == VVI_TREE_DATACLASS) {
        node->meta = vvi_py_retain(parts[2]);
        node->type = vvi_py_retain(parts[3]);
    }
    status = adopt(node, arity, all, err);
    if (!status && (node->leaves != leaves || node->nodes != nodes))
        status = vvi_fail(err, VV_ECORRUPT, "a node that counts %zu leaves and has %zu",
                          leaves, node->leaves);
    if (status) {
        vvi_tree_node_free(node);
        return status;
    }
    all->nodes[all->count++] = node;
    return VV_OK;
}

static vv_status read_nodes(const vvi_py *state, orphans *all, vv_error *err)
{
    const vvi_py *list;

    if (state->kind != VVI_PY_TUPLE || state->u.list.count != 2 ||
        state->u.list.items[1]->kind != VVI_PY_LIST)
        return vvi_fail(err, VV_ECORRUPT, "a state that is no registry and nodes");
    list = state->u.list.items[1];
    for (size_t i = 0; i < list->u.list.count; i++) {
        vv_status status = read_node(list->u.list.items[i], all, err);

        if (status)
            return vvi_wrap(err, status, "node %zu", i);
    }
    return all->count == 1
               ? VV_OK
               : vvi_fail(err, VV_ECORRUPT, "%zu nodes without a parent", all->count);
}

vv_status vv_tree_from_pickle(vv_bytes pickle, vv_tree **out, vv_error *err)
{
    machine self = { .in = pickle, .err = err };
    orphans all = { NULL, 0, 0 };
    vv_status status;

    if (pickle.len > PICKLE_BYTES_MAX)
        return vvi_fail(err, VV_ELIMIT, "pickle: %zu bytes; at most %zu are read",
                        pickle.len, PICKLE_BYTES_MAX);
    status = run(&self);
    if (status)
        vvi_wrap(err, status, "pickle: offset %zu", self.opcode_at);
    else if ((status = read_nodes(self.state, &all, err)))
        vvi_wrap(err, status, "pickle");
    machine_clear(&self);
    if (!status) {
        status = vvi_tree_new(all.nodes[0], out, err);
        all.count = 0;
    }
    for (size_t i = 0; i < all.count; i++)
        vvi_tree_node_free(all.nodes[i]);
    vvi_free(all.nodes);
    return status;
}
