/** @file data/order.h
 *  Which image is sample i of a run: a pure function of (seed, i, N). Sample i belongs to epoch
 *  i / N; each epoch is a permutation of 0..N-1 keyed by (seed, epoch) (ddpm_random_permute). */
#ifndef DDPM_DATA_ORDER_H
#define DDPM_DATA_ORDER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

uint64_t ddpm_order_image(uint64_t seed, uint64_t sample_index, uint64_t image_count);
/** Whether sample i is mirrored: a fair coin by (seed, i). */
bool ddpm_order_flip(uint64_t seed, uint64_t sample_index);
#endif
