/* SPDX-License-Identifier: MIT */
#include "run_text.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

void run_text_add_bytes(struct run_text *text, const char *bytes, size_t count)
{
	size_t left = text->room - text->length;

	if (count > left)
		count = left;
	if (count == 0)
		return;
	memcpy(text->data + text->length, bytes, count);
	text->length += count;
}

void run_text_add(struct run_text *text, const char *string)
{
	run_text_add_bytes(text, string, strlen(string));
}

void run_text_format_list(struct run_text *text, const char *format, va_list arguments)
{
	size_t left = text->room - text->length;
	/* A false alarm of clang-tidy 14, which raises it for all files but the first of its command line.
	 * NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized) */
	int needed = vsnprintf(text->data + text->length, left, format, arguments);

	if (needed < 0 || left == 0)
		return;
	/* The last byte of the room went to vsnprintf's NUL. */
	text->length += (size_t)needed < left ? (size_t)needed : left - 1;
}

void run_text_format(struct run_text *text, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	run_text_format_list(text, format, arguments);
	va_end(arguments);
}

/* Code points that show nothing, or that change how their neighbours are shown, so that one name could look
 * like another. */
static const struct {
	uint32_t first;
	uint32_t last;
} deceptive[] = {
	{ 0x80, 0x9f },     { 0xad, 0xad },     { 0x61c, 0x61c },   { 0x180e, 0x180e }, { 0x200b, 0x200f },
	{ 0x2028, 0x202e }, { 0x2060, 0x206f }, { 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0xe0000, 0xe0fff },
};

static bool is_deceptive(uint32_t point)
{
	for (size_t i = 0; i < sizeof(deceptive) / sizeof(deceptive[0]); i++)
		if (point >= deceptive[i].first && point <= deceptive[i].last)
			return true;
	return false;
}

/* The forms of a UTF-8 sequence by its first byte; `least` rules out code points that a shorter form could
 * say. */
static const struct {
	unsigned char mask;
	unsigned char mark;
	uint32_t least;
	size_t length;
} forms[] = {
	{ 0xe0, 0xc0, 0x80, 2 },
	{ 0xf0, 0xe0, 0x800, 3 },
	{ 0xf8, 0xf0, 0x10000, 4 },
};

/* How many bytes the valid UTF-8 sequence of more than one byte takes that stands here; 0 if there is none.
 */
static size_t decode_sequence(const unsigned char *bytes, size_t count, uint32_t *ret_point)
{
	size_t form = 0;
	uint32_t point;

	while (form < 3 && (bytes[0] & forms[form].mask) != forms[form].mark)
		form++;
	if (form == 3 || count < forms[form].length)
		return 0;

	point = bytes[0] & (unsigned char)~forms[form].mask;
	for (size_t i = 1; i < forms[form].length; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (bytes[i] & 0x3f);
	}
	if (point < forms[form].least || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
		return 0;
	*ret_point = point;
	return forms[form].length;
}

struct piece {
	char shown[4];
	size_t bytes;   /* of `shown` */
	size_t columns; /* never less than it takes; combining and narrow characters may be overrated */
	size_t taken;   /* from the item */
};

static struct piece as_it_is(const unsigned char *bytes, size_t count, size_t columns)
{
	struct piece piece = { .bytes = count, .columns = columns, .taken = count };

	memcpy(piece.shown, bytes, count);
	return piece;
}

static struct piece escaped(unsigned char byte)
{
	static const char named[] = "\\\\\nn\rr\tt";
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < sizeof(named) - 1; i += 2)
		if ((unsigned char)named[i] == byte)
			return (struct piece){ { '\\', named[i + 1] }, 2, 2, 1 };
	return (struct piece){ { '\\', 'x', digits[byte >> 4], digits[byte & 15] }, 4, 4, 1 };
}

static struct piece next_piece(const unsigned char *bytes, size_t count)
{
	uint32_t point = 0;
	size_t length;

	if (bytes[0] >= 0x20 && bytes[0] < 0x7f && bytes[0] != '\\')
		return as_it_is(bytes, 1, 1);
	length = decode_sequence(bytes, count, &point);
	if (length > 0 && !is_deceptive(point))
		return as_it_is(bytes, length, point < 0x1100 ? 1 : 2);
	return escaped(bytes[0]);
}

void run_text_add_item(struct run_text *text, const char *item, size_t length, size_t columns)
{
	static const char dots[] = "...";
	const size_t dots_length = sizeof(dots) - 1;
	const unsigned char *bytes = (const unsigned char *)item;
	size_t used = 0;
	/* Where the text must be cut if the dots are needed after all. */
	size_t cut = text->length;

	for (size_t position = 0; position < length;) {
		struct piece piece = next_piece(bytes + position, length - position);

		if (used + piece.columns > columns || text->length + piece.bytes > text->room) {
			text->length = cut;
			run_text_add_bytes(text, dots, columns < dots_length ? columns : dots_length);
			return;
		}
		run_text_add_bytes(text, piece.shown, piece.bytes);
		used += piece.columns;
		position += piece.taken;
		if (used + dots_length <= columns && text->length + dots_length <= text->room)
			cut = text->length;
	}
}
