#include "squares.h"

#include <float.h>
#include <math.h>

double squares_of(const float *a, size_t d)
{
    double sum = 0.0;
    for (size_t i = 0; i < d; i++) sum += (double)a[i] * (double)a[i];
    return sum;
}

double squares_between(const float *a, const float *b, size_t d)
{
    double sum = 0.0;
    for (size_t i = 0; i < d; i++) {
        const double apart = (double)a[i] - (double)b[i];
        sum += apart * apart;
    }
    return sum;
}

/* With u = 2^-24 the float32 a.b is wrong by at most D u / (1 - D u) |a||b| (Higham 2002, section
 * 3.1), of which there are two, and 2 |a||b| <= |a|^2 + |b|^2. Each of its 2 D operations may also
 * lose what is below FLT_MIN. The three sums in double are wrong by D 2^-53 of no more than twice
 * that each. A product that overflows is infinite or no number, and compares as near. */
squares_error squares_error_of(size_t d)
{
    const double n = (double)d + 2.0, du = n * 0x1p-24;
    if (du > 0.5) return (squares_error){ (double)INFINITY, (double)INFINITY };
    return (squares_error){ .relative = du / (1.0 - du) + 8.0 * n * 0x1p-53,
                            .absolute = 4.0 * n * (double)FLT_MIN };
}
