// Adds up what the jobs counted: reads "inside total" from every file and writes the estimate of pi with its error.
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>

int main(int argc, char** argv) {
    if (argc < 3) {
        std::cerr << "usage: sum OUT FILE...\n";
        return 2;
    }
    unsigned long long inside = 0, total = 0, one, n;
    for (int i = 2; i < argc; ++i) {
        std::ifstream in(argv[i]);
        if (!(in >> one >> n)) {
            std::cerr << argv[i] << " holds no two numbers\n";
            return 1;
        }
        inside += one;
        total += n;
    }
    const double part = double(inside) / double(total);
    std::ofstream out(argv[1]);
    out.precision(8);
    out << "points " << total << "\npi " << 4 * part << "\nerror " << 4 * std::sqrt(part * (1 - part) / double(total)) << "\n";
    return out.flush() ? 0 : 1;
}
