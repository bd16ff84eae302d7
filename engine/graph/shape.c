/* shape.c - shapes of values, see graph.h */
#include "engine/graph/graph.h"
#include "base/size.h"

#include <stdlib.h>

struct shape shape_make(const int64_t *dims, int rank)
{
    BUG_ON(rank < 0 || rank > RANK_MAX);
    struct shape s = {.rank = rank};
    for (int i = 0; i < rank; i++)
        s.dim[i] = dims[i];
    return s;
}

bool shape_equal(struct shape a, struct shape b)
{
    bool same = a.rank == b.rank;
    for (int i = 0; same && i < a.rank; i++)
        same = a.dim[i] == b.dim[i];
    return same;
}

int64_t shape_elements(struct shape s)
{
    int64_t n = 1;
    for (int i = 0; i < s.rank; i++)
        if (!int64_mul(n, s.dim[i], &n))
            return INT64_MAX;
    return n;
}

bool shape_broadcast(struct shape a, struct shape b, struct shape *out)
{
    struct shape s = {.rank = a.rank > b.rank ? a.rank : b.rank};
    for (int i = 0; i < s.rank; i++) {
        int ia = i - (s.rank - a.rank), ib = i - (s.rank - b.rank);
        int64_t da = ia < 0 ? 1 : a.dim[ia], db = ib < 0 ? 1 : b.dim[ib];
        if (da != db && da != 1 && db != 1)
            return false;
        s.dim[i] = da == 1 ? db : da;
    }
    *out = s;
    return true;
}

void shape_write(struct str *out, struct shape s)
{
    str_add_char(out, '(');
    for (int i = 0; i < s.rank; i++)
        str_addf(out, i ? ", %lld" : "%lld", (long long)s.dim[i]);
    str_add(out, s.rank == 1 ? ",)" : ")");
}

const char *shape_text(struct arena *arena, struct shape s)
{
    struct str text = {0};
    shape_write(&text, s);
    const char *copy = arena_strdup(arena, str_text(&text));
    str_release(&text);
    return copy;
}

int64_t window_out(const struct window *w, int axis, int64_t in)
{
    int64_t span = (w->size[axis] - 1) * w->dilation[axis] + 1;
    int64_t room = in + w->pad_before[axis] + w->pad_after[axis] - span;
    return room < 0 ? 0 : room / w->stride[axis] + 1;
}

size_t variable_bytes(const struct variable *variable)
{
    return (size_t)shape_elements(variable->shape) * 4;
}
