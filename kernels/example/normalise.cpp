// Group normalisation, modulation and SiLU of a small map on the GPU, checked against a loop.
//
// Exit status: 0 if they agree, 1 if not or if something failed, 77 if there is no GPU for it.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <cuda_runtime_api.h>
#include <galgen_kernels.h>

namespace {

constexpr int kSkipped = 77;
constexpr int kImages = 2, kCells = 8 * 8, kGroup = 16, kGroups = 3, kChannels = kGroup * kGroups;
constexpr float kEps = 1e-5f;

[[noreturn]] void stop(int status, const std::string& why) {
    std::fprintf(stderr, "%s: %s\n", status == kSkipped ? "skipped" : "failed", why.c_str());
    std::exit(status);
}

void check(cudaError_t error) {
    if (error != cudaSuccess) stop(1, cudaGetErrorString(error));
}

float to_float(std::uint16_t bfloat16) {
    const std::uint32_t bits = std::uint32_t{bfloat16} << 16;
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

std::uint16_t to_bfloat16(float value) {  // finite, rounded half to even
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

using Map = std::vector<std::uint16_t>;  // of bfloat16

Map wave(std::size_t size, float offset, float frequency) {
    Map values(size);
    for (std::size_t i = 0; i < size; ++i)
        values[i] = to_bfloat16(offset + std::sin(frequency * static_cast<float>(i)));
    return values;
}

// A copy on the device, freed at exit with the process.
std::uint64_t upload(const Map& values) {
    void* address = nullptr;
    check(cudaMalloc(&address, values.size() * sizeof values[0]));
    check(cudaMemcpy(address, values.data(), values.size() * sizeof values[0],
                     cudaMemcpyHostToDevice));
    return reinterpret_cast<std::uint64_t>(address);
}

Map download(std::uint64_t address, std::size_t size) {
    Map values(size);
    check(cudaMemcpy(values.data(), reinterpret_cast<const void*>(address),
                     size * sizeof values[0], cudaMemcpyDeviceToHost));
    return values;
}

// The modulated form for maps of kCells cells.
const char* variant() {
    const std::string form = "group_norm_silu_group" + std::to_string(kGroup) + "_chunk" +
                             std::to_string(kCells) + "_chunks1_modulated1_bf16x4_";
    for (std::size_t i = 0; i < galgen_kernels_count(); ++i) {
        const char* name = galgen_kernels_at(i)->name;
        if (std::string(name).rfind(form, 0) == 0) return name;
    }
    stop(1, "the library has no " + form + "...");
}

// Values of y that are off by more than rounding to bfloat16 explains.
int wrong(const Map& x, const Map& modulation, const Map& y) {
    int count = 0;
    for (int image = 0; image < kImages; ++image)
        for (int group = 0; group < kGroups; ++group) {
            const auto place = [&](int cell, int k) {
                return (image * kCells + cell) * kChannels + group * kGroup + k;
            };
            double mean = 0, variance = 0;
            for (int cell = 0; cell < kCells; ++cell)
                for (int k = 0; k < kGroup; ++k) mean += to_float(x[place(cell, k)]);
            mean /= kCells * kGroup;
            for (int cell = 0; cell < kCells; ++cell)
                for (int k = 0; k < kGroup; ++k)
                    variance += std::pow(to_float(x[place(cell, k)]) - mean, 2);
            variance /= kCells * kGroup;
            for (int cell = 0; cell < kCells; ++cell)
                for (int k = 0; k < kGroup; ++k) {
                    const int channel = image * 2 * kChannels + group * kGroup + k;
                    const double scale = to_float(modulation[channel]);
                    const double shift = to_float(modulation[channel + kChannels]);
                    const double normal =
                        (to_float(x[place(cell, k)]) - mean) / std::sqrt(variance + kEps);
                    const double v = normal * (1 + scale) + shift;
                    const double wanted = v / (1 + std::exp(-v));
                    const double error = std::abs(to_float(y[place(cell, k)]) - wanted);
                    // Negated, so that NaN, an output that was not written, is wrong too.
                    if (!(error <= std::abs(wanted) / 256 + 1e-4)) ++count;
                }
        }
    return count;
}

}  // namespace

int main() {
    if (galgen_kernels_abi() != GALGEN_KERNELS_ABI) stop(1, "library and header do not match");
    const char* name = variant();
    int devices = 0;
    if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) stop(kSkipped, "no CUDA GPU");

    const Map x = wave(kImages * kCells * kChannels, 30.0f, 0.7f);  // a mean that cancels badly
    const Map modulation = wave(kImages * 2 * kChannels, 0.0f, 1.3f);
    const Map poison(x.size(), 0xffff);  // NaN
    std::uint64_t x_ptr = upload(x), modulation_ptr = upload(modulation);
    std::uint64_t y_ptr = upload(poison), pooled_ptr = upload(poison);
    std::int32_t cells = kCells, groups = kGroups;
    float eps = kEps;
    void* arguments[] = {&x_ptr, &modulation_ptr, &y_ptr, &pooled_ptr, &cells, &groups, &eps};
    const std::uint32_t grid[] = {kImages * kGroups, 1, 1};
    const auto status = galgen_kernels_launch(name, nullptr, grid, arguments,
                                              sizeof arguments / sizeof arguments[0]);
    if (status == GALGEN_KERNELS_WRONG_DEVICE) stop(kSkipped, galgen_kernels_error());
    if (status != GALGEN_KERNELS_OK) stop(1, galgen_kernels_error());
    check(cudaDeviceSynchronize());

    const int count = wrong(x, modulation, download(y_ptr, x.size()));
    std::printf("%s: %d of %zu values are wrong\n", name, count, x.size());
    return count == 0 ? 0 : 1;
}
