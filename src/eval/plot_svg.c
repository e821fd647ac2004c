#include "plot_canvas.h"

#include "ddpm/io/sealed_file.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

DDPM_PRINTF(2, 3) static void append(plot_svg *svg, const char *format, ...)
{
    char piece[256];
    va_list list;
    va_start(list, format);
    const int length = vsnprintf(piece, sizeof piece, format, list);
    va_end(list);
    const size_t bytes = length < (int)sizeof piece ? (size_t)length : sizeof piece - 1;
    if (svg->used + bytes + 1 > svg->room) {
        const size_t room = 2 * svg->room + sizeof piece;
        char *larger = svg->failed ? NULL : realloc(svg->text, room);
        if (!larger) {
            svg->failed = true;
            return;
        }
        svg->text = larger;
        svg->room = room;
    }
    memcpy(svg->text + svg->used, piece, bytes + 1);
    svg->used += bytes;
}

static void line(plot_canvas *canvas, plot_point a, plot_point b, double width, uint32_t colour)
{
    append((plot_svg *)canvas,
           "<line x1=\"%.2f\" y1=\"%.2f\" x2=\"%.2f\" y2=\"%.2f\" stroke=\"#%06x\" "
           "stroke-width=\"%g\" stroke-linecap=\"round\"/>\n",
           a.x, a.y, b.x, b.y, colour, width);
}

static void disc(plot_canvas *canvas, plot_point centre, double radius, uint32_t colour)
{
    append((plot_svg *)canvas, "<circle cx=\"%.2f\" cy=\"%.2f\" r=\"%g\" fill=\"#%06x\"/>\n",
           centre.x, centre.y, radius, colour);
}

static void text(plot_canvas *canvas, const char *words, const plot_text *how)
{
    plot_svg *svg = (plot_svg *)canvas;
    const char *anchor = how->anchor < 0.25 ? "start" : how->anchor < 0.75 ? "middle" : "end";
    append(svg, "<text x=\"%.2f\" y=\"%.2f\" font-size=\"%d\" text-anchor=\"%s\"", how->at.x,
           how->at.y, how->large ? 16 : 13, anchor);
    if (how->upwards) append(svg, " transform=\"rotate(-90 %.2f %.2f)\"", how->at.x, how->at.y);
    append(svg, ">");
    for (; *words; words++) switch (*words) {
        case '&': append(svg, "&amp;"); break;
        case '<': append(svg, "&lt;"); break;
        case '>': append(svg, "&gt;"); break;
        default: append(svg, "%c", *words < ' ' || *words > '~' ? '?' : *words);
        }
    append(svg, "</text>\n");
}

void plot_svg_begin(plot_svg *svg)
{
    *svg = (plot_svg){ .canvas = { line, disc, text } };
    append(svg,
           "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
           "height=\"%d\" font-family=\"sans-serif\" fill=\"#202020\">\n",
           PLOT_WIDTH, PLOT_HEIGHT, PLOT_WIDTH, PLOT_HEIGHT);
    append(svg, "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n");
}

ddpm_status plot_svg_write(plot_svg *svg, const char *path)
{
    append(svg, "</svg>\n");
    if (svg->failed) return ddpm_fail(DDPM_EOS, "%s: out of memory", path);
    return ddpm_publish_file(path, svg->text, svg->used);
}

void plot_svg_free(plot_svg *svg)
{
    free(svg->text);
    *svg = (plot_svg){ 0 };
}
