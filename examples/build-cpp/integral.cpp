// Estimates pi: counts how many of n random points of a square lie in the circle that fits into it.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>

int main(int argc, char** argv) {
    if (argc != 4) {
        std::fprintf(stderr, "usage: integral N SEED OUT\n");
        return 2;
    }
    const std::uint64_t n = std::strtoull(argv[1], nullptr, 10);
    std::mt19937_64 random(std::strtoull(argv[2], nullptr, 10));
    std::uniform_real_distribution<double> side(-1.0, 1.0);
    std::uint64_t inside = 0;
    for (std::uint64_t i = 0; i < n; ++i) {
        const double x = side(random), y = side(random);
        inside += x * x + y * y < 1.0;
    }
    std::FILE* out = std::fopen(argv[3], "w");
    if (out == nullptr) {
        std::perror(argv[3]);
        return 1;
    }
    std::fprintf(out, "%llu %llu\n", static_cast<unsigned long long>(inside), static_cast<unsigned long long>(n));
    return std::fclose(out) == 0 ? 0 : 1;
}
