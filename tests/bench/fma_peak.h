/* The most float32 FMA that one core does a second, measured: what kernels are held against. */
#ifndef DDPM_FMA_PEAK_H
#define DDPM_FMA_PEAK_H

/* GFLOP/s of independent chains of fused multiply-adds in registers, by the vectors of that
 * instruction set ("avx512", "avx2", "generic", as DDPM_ISA has it); a multiply-add is two
 * operations. Best of several runs by this thread's CPU time; takes about 0.2 s. */
double fma_peak_gflops(const char *isa);
#endif
