/* input.c - see input.h */
#include "tui/terminal/input.h"

#include <stdio.h>
#include <string.h>

enum { GROUND, ESCAPE, CSI, SS3, OSC, UTF8, PASTE, X10, LINUX };
enum { MAX_PASTE = 1 << 20, MAX_OSC = 256 };

static const char paste_end[] = "\x1b[201~";

static void emit_key(int key, int modifiers, input_emit *emit, void *context)
{
    struct event event = {.kind = EVENT_KEY, .key = key | modifiers};
    emit(context, &event);
}

/* Byte 0 .. 31 and 127. */
static void control(int byte, int modifiers, input_emit *emit, void *context)
{
    if (byte == '\r' || byte == '\n')
        emit_key(K_ENTER, modifiers, emit, context);
    else if (byte == '\t' || byte == 27)
        emit_key(byte, modifiers, emit, context);
    else if (byte == 127 || byte == 8)
        emit_key(K_BACKSPACE, modifiers, emit, context);
    else if (byte == 0)
        emit_key(K_SPACE, modifiers | K_CTRL, emit, context);
    else
        emit_key(byte <= 26 ? byte + 'a' - 1 : byte + '@', modifiers | K_CTRL, emit, context);
}

/* Parameters of a control sequence: numbers between ';', -1 where there is none. Sub-parameters after ':' are skipped.
 */
static int parameters(const unsigned char *bytes, int n, int *out, int max)
{
    int count = 0;
    for (int i = 0; i < n && count < max;) {
        int value = -1;
        for (; i < n && bytes[i] >= '0' && bytes[i] <= '9'; i++)
            value =
                (value < 0 ? 0 : value) < 200000000 / 10 ? (value < 0 ? 0 : value) * 10 + (bytes[i] - '0') : 200000000;
        while (i < n && bytes[i] != ';')
            i++;
        i++;
        out[count++] = value;
    }
    return count;
}

static int modifiers_of(int parameter)
{
    int bits = parameter > 1 ? parameter - 1 : 0;
    return (bits & 1 ? K_SHIFT : 0) | (bits & 2 ? K_ALT : 0) | (bits & 4 ? K_CTRL : 0);
}

static int key_of_letter(int letter)
{
    static const struct {
        char letter;
        int key;
    } keys[] = {{'A', K_UP}, {'B', K_DOWN}, {'C', K_RIGHT}, {'D', K_LEFT},  {'H', K_HOME}, {'F', K_END}, {'P', K_F1},
                {'Q', K_F2}, {'R', K_F3},   {'S', K_F4},    {'M', K_ENTER}, {'I', K_TAB},  {'E', K_HOME}};
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
        if (keys[k].letter == letter)
            return keys[k].key;
    return 0;
}

static int key_of_number(int number)
{
    static const struct {
        int number, key;
    } keys[] = {{1, K_HOME}, {2, K_INSERT}, {3, K_DELETE}, {4, K_END},  {5, K_PGUP}, {6, K_PGDN}, {7, K_HOME},
                {8, K_END},  {11, K_F1},    {12, K_F2},    {13, K_F3},  {14, K_F4},  {15, K_F5},  {17, K_F6},
                {18, K_F7},  {19, K_F8},    {20, K_F9},    {21, K_F10}, {23, K_F11}, {24, K_F12}};
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
        if (keys[k].number == number)
            return keys[k].key;
    return 0;
}

static void emit_code(int code, int modifiers, input_emit *emit, void *context)
{
    if (code == 27 || code == 13 || code == 9 || code == 127)
        emit_key(code == 127 ? K_BACKSPACE : code, modifiers, emit, context);
    else if (code >= 32 && code <= 0x10FFFF)
        emit_key(code, code < 127 && !(modifiers & K_CTRL) ? modifiers & ~K_SHIFT : modifiers, emit, context);
}

static void mouse(int code, int x, int y, bool release, input_emit *emit, void *context)
{
    struct event event = {.kind = EVENT_MOUSE, .x = x - 1, .y = y - 1, .button = code & 3};
    event.modifiers = (code & 4 ? K_SHIFT : 0) | (code & 8 ? K_ALT : 0) | (code & 16 ? K_CTRL : 0);
    if (x < 1 || y < 1 || code > 255 || code < 0)
        return;
    if (code & 64)
        event.action = code & 1 ? MOUSE_WHEEL_DOWN : MOUSE_WHEEL_UP;
    else if (code & 32)
        event.action = event.button == 3 ? MOUSE_MOVE : MOUSE_DRAG;
    else
        event.action = release ? MOUSE_RELEASE : MOUSE_PRESS;
    if ((code & 64) && (code & 2))
        return; /* sideways wheel */
    emit(context, &event);
}

static void finish_csi(struct input *input, int final, input_emit *emit, void *context)
{
    int p[4] = {-1, -1, -1, -1}, private = input->n && input->bytes[0] >= '<' ? input->bytes[0] : 0;
    int n = parameters(input->bytes + (private != 0), input->n - (private != 0), p, 4);
    int modifiers = modifiers_of(p[1]);
    input->state = GROUND;
    if (private == '<' && (final == 'M' || final == 'm')) {
        mouse(p[0], p[1], p[2], final == 'm', emit, context);
    } else if (private == '?' && final == 'c') {
        emit(context, &(struct event){.kind = EVENT_REPLY, .reply = REPLY_DEVICE});
    } else if (private) {
        return;
    } else if (final == 'M' && input->n == 0) {
        input->state = X10;
    } else if (final == '[' && input->n == 0) {
        input->state = LINUX;
    } else if (final == 'n' && p[0] == 0) {
        emit(context, &(struct event){.kind = EVENT_REPLY, .reply = REPLY_STATUS});
    } else if (final == 'R' && n == 2 && p[0] > 1 && p[1] > 0) {
        emit(context, &(struct event){.kind = EVENT_REPLY, .reply = REPLY_CURSOR, .x = p[1] - 1, .y = p[0] - 1});
    } else if ((final == 'I' || final == 'O') && input->n == 0) {
        emit(context, &(struct event){.kind = EVENT_FOCUS, .x = final == 'I'});
    } else if (final == 'Z') {
        emit_key(K_TAB, K_SHIFT, emit, context);
    } else if (final == '~' && p[0] == 200) {
        input->state = PASTE;
        input->paste_match = 0;
        str_clear(&input->paste);
    } else if (final == '~' && p[0] == 27 && n == 3) {
        emit_code(p[2], modifiers, emit, context);
    } else if (final == '~' && key_of_number(p[0])) {
        emit_key(key_of_number(p[0]), modifiers, emit, context);
    } else if (final == 'u' && p[0] > 0) {
        emit_code(p[0], modifiers, emit, context);
    } else if (key_of_letter(final) && final != 'M' && final != 'I' && (p[0] <= 1) && n != 1) {
        emit_key(key_of_letter(final), modifiers, emit, context);
    }
}

static void finish_osc(struct input *input, input_emit *emit, void *context)
{
    unsigned r, g, b;
    char text[sizeof input->bytes + 1] = {0};
    memcpy(text, input->bytes, (size_t)input->n);
    input->state = GROUND;
    if (sscanf(text, "11;rgb:%4x/%4x/%4x", &r, &g, &b) != 3)
        return;
    const char *slash = strchr(text + 7, '/');
    double full = slash - (text + 7) <= 2 ? 255 : 65535, bright = (0.299 * r + 0.587 * g + 0.114 * b) / full;
    emit(context, &(struct event){.kind = EVENT_REPLY, .reply = REPLY_BACKGROUND, .x = bright > 0.5});
}

/* Bytes of the character at the start of text, 0: it begins none. */
static size_t character_at(const char *text)
{
    char one[5] = "";
    for (size_t n = 1; n <= 4 && text[n - 1]; n++) {
        one[n - 1] = text[n - 1];
        if (str_is_utf8(one))
            return n;
    }
    return 0;
}

/* What is no UTF-8 (a paste from a Latin-1 world) becomes question marks. */
static void make_utf8(struct str *text)
{
    struct str good = {0};
    if (str_is_utf8(str_text(text)))
        return;
    for (const char *c = str_text(text); *c;) {
        size_t n = character_at(c);
        str_add_bytes(&good, n ? c : "?", n ? n : 1);
        c += n ? n : 1;
    }
    str_release(text);
    *text = good;
}

static void paste_byte(struct input *input, unsigned char byte, input_emit *emit, void *context)
{
    if (byte == (unsigned char)paste_end[input->paste_match]) {
        if (paste_end[++input->paste_match])
            return;
        input->state = GROUND;
        make_utf8(&input->paste);
        emit(context, &(struct event){.kind = EVENT_PASTE, .text = str_text(&input->paste)});
        return;
    }
    for (int i = 1; i < input->paste_match && input->paste.length < MAX_PASTE;
         i++) /* a mark that was none, without its ESC */
        str_add_char(&input->paste, paste_end[i]);
    input->paste_match = byte == 27;
    if (byte == '\r')
        byte = '\n';
    if ((byte >= 32 || byte == '\t' || byte == '\n') && byte != 127 && input->paste.length < MAX_PASTE)
        str_add_char(&input->paste, (char)byte);
}

static void start_utf8(struct input *input, unsigned char byte)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    int more = byte >= 0xF0 && byte < 0xF5 ? 3 : byte >= 0xE0 && byte < 0xF0 ? 2 : byte >= 0xC2 && byte < 0xE0 ? 1 : 0;
    if (!more)
        return; /* no lead byte: dropped */
    input->state = UTF8;
    input->utf8_left = more;
    input->utf8_least = least[more];
    input->bytes[0] = (unsigned char)(byte & (more == 3 ? 7 : more == 2 ? 15 : 31));
    input->n = 1;
}

/* False: the byte does not belong here and is to be seen again from GROUND. */
static bool utf8_byte(struct input *input, unsigned char byte, input_emit *emit, void *context)
{
    if ((byte & 0xC0) != 0x80) {
        input->state = GROUND;
        return false;
    }
    input->bytes[input->n++] = byte & 0x3F;
    if (--input->utf8_left)
        return true;
    uint32_t ch = 0;
    for (int i = 0; i < input->n; i++)
        ch = ch << 6 | input->bytes[i];
    input->state = GROUND;
    bool valid = ch >= input->utf8_least && ch <= 0x10FFFF && !(ch >= 0xD800 && ch < 0xE000) && ch >= 0xA0;
    if (valid)
        emit_key((int)ch, 0, emit, context);
    return true;
}

static bool ground_byte(struct input *input, unsigned char byte, int modifiers, input_emit *emit, void *context)
{
    input->n = 0;
    if (byte == 27 && !modifiers)
        input->state = ESCAPE;
    else if (byte >= 0x80)
        start_utf8(input, byte);
    else if (byte < 32 || byte == 127)
        control(byte, modifiers, emit, context);
    else
        emit_key(byte, modifiers, emit, context);
    return true;
}

static bool escape_byte(struct input *input, unsigned char byte, input_emit *emit, void *context)
{
    input->n = 0;
    input->osc_length = 0;
    input->osc_escape = false;
    if (byte == 27)
        emit_key(K_ESC, 0, emit, context);
    else if (byte == '[' || byte == 'O' || byte == ']')
        input->state = byte == '[' ? CSI : byte == 'O' ? SS3 : OSC;
    else {
        input->state = GROUND;
        ground_byte(input, byte, K_ALT, emit, context);
    }
    return true;
}

static bool csi_byte(struct input *input, unsigned char byte, input_emit *emit, void *context)
{
    if (byte < 0x20 || byte >= 0x7F) {
        input->state = GROUND;
        return byte >= 0x7F;
    }
    if (byte >= 0x40)
        finish_csi(input, byte, emit, context);
    else if (input->n < (int)sizeof input->bytes)
        input->bytes[input->n++] = byte;
    else
        input->state = GROUND;
    if (input->state != CSI)
        input->n = 0;
    return true;
}

/* SS3 keys; some terminals put a modifier in between: ESC O 5 A. */
static bool ss3_byte(struct input *input, unsigned char byte, input_emit *emit, void *context)
{
    if (byte >= '0' && byte <= '9' && input->n == 0) {
        input->bytes[input->n++] = byte;
        return true;
    }
    int modifiers = input->n ? modifiers_of(input->bytes[0] - '0') : 0;
    input->state = GROUND;
    if (byte < 0x20)
        return false;
    if (key_of_letter(byte))
        emit_key(key_of_letter(byte), modifiers, emit, context);
    return true;
}

/* Only answers that start with a digit are strings; ESC ] and anything else is Alt-]. */
static bool osc_byte(struct input *input, unsigned char byte, input_emit *emit, void *context)
{
    if (input->osc_length++ == 0 && (byte < '0' || byte > '9')) {
        input->state = GROUND;
        emit_key(']', K_ALT, emit, context);
        return false;
    }
    if (byte == 7 || (input->osc_escape && byte == '\\')) {
        finish_osc(input, emit, context);
        return true;
    }
    if (input->osc_escape || (byte < 32 && byte != 27) || input->osc_length > MAX_OSC) {
        input->state = input->osc_escape ? ESCAPE : GROUND;
        return !input->osc_escape;
    }
    input->osc_escape = byte == 27;
    if (byte != 27 && input->n < (int)sizeof input->bytes)
        input->bytes[input->n++] = byte;
    return true;
}

static bool x10_byte(struct input *input, unsigned char byte, input_emit *emit, void *context)
{
    input->bytes[input->n++] = byte;
    if (input->n < 3)
        return true;
    int code = input->bytes[0] - 32;
    bool release = code >= 0 && (code & 3) == 3 && !(code & (32 | 64));
    input->state = GROUND;
    mouse(release ? code & ~3 : code, input->bytes[1] - 32, input->bytes[2] - 32, release, emit, context);
    return true;
}

static bool one_byte(struct input *input, unsigned char byte, input_emit *emit, void *context)
{
    switch (input->state) {
    case ESCAPE:
        return escape_byte(input, byte, emit, context);
    case CSI:
        return csi_byte(input, byte, emit, context);
    case SS3:
        return ss3_byte(input, byte, emit, context);
    case OSC:
        return osc_byte(input, byte, emit, context);
    case UTF8:
        return utf8_byte(input, byte, emit, context);
    case X10:
        return x10_byte(input, byte, emit, context);
    case PASTE:
        paste_byte(input, byte, emit, context);
        return true;
    case LINUX:
        input->state = GROUND;
        if (byte >= 'A' && byte <= 'E')
            emit_key(K_F1 + byte - 'A', 0, emit, context);
        return true;
    default:
        return ground_byte(input, byte, 0, emit, context);
    }
}

void input_feed(struct input *input, const void *bytes, size_t n, input_emit *emit, void *context)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < n; i++)
        if (!one_byte(input, at[i], emit, context))
            one_byte(input, at[i], emit, context);
}

bool input_waiting(const struct input *input)
{
    return input->state == ESCAPE;
}

void input_timeout(struct input *input, input_emit *emit, void *context)
{
    if (input->state != ESCAPE)
        return;
    input->state = GROUND;
    emit_key(K_ESC, 0, emit, context);
}

void input_release(struct input *input)
{
    str_release(&input->paste);
    *input = (struct input){0};
}
