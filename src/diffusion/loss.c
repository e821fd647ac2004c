#include "ddpm/diffusion/loss.h"

void ddpm_mse_loss(double *per_image, float *d_prediction, const float *prediction,
                   const float *target, size_t n, size_t d, double weight)
{
    /* d/dp weight mean (p - target)^2 = 2 weight / D (p - target) */
    const double slope = 2.0 * weight / (double)d;
    for (size_t i = 0; i < n; i++) {
        const size_t end = (i + 1) * d;
        double sum = 0.0;
        for (size_t j = i * d; j < end; j++) {
            const double error = (double)prediction[j] - (double)target[j];
            sum += error * error;
            if (d_prediction) d_prediction[j] = (float)(slope * error);
        }
        per_image[i] = sum / (double)d;
    }
}
