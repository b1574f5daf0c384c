// pool-factorial -- three factorials by a pool of three processes.
//
// Python's int grows as long as it has to: 300! has 615 digits. C++ has no such type, so
// the numbers are computed here in parts of nine digits, and come back from the workers as
// strings: results may have any size. The same factorials modulo a prime, which fit into 64
// bits at each step, tell whether the digits are right.
//
// Python:
//
//     if __name__ == "__main__":
//         with Pool(3) as pool:
//             results = pool.map(math.factorial, [100, 200, 300])
//         print(results)

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "nogil/multiprocessing.hpp"
#include "support/bigint.hpp"
#include "support/tour.hpp"

namespace {

// In a worker.
std::string factorial(int n) {
  tour::BigInt product;
  for (int i = 2; i <= n; ++i) product *= static_cast<std::uint32_t>(i);
  return product.text();
}

constexpr std::uint64_t kPrime = 1'000'000'007;

std::uint64_t factorial_modulo_prime(int n) {
  std::uint64_t product = 1;
  for (int i = 2; i <= n; ++i) product = product * static_cast<std::uint64_t>(i) % kPrime;
  return product;
}

std::uint64_t modulo_prime(const std::string& digits) {
  std::uint64_t rest = 0;
  for (const char digit : digits) rest = (rest * 10 + static_cast<std::uint64_t>(digit - '0')) % kPrime;
  return rest;
}

void pool_factorial(tour::Run& run) {
  const std::vector<int> numbers{100, 200, 300};
  nogil::mp::Pool pool(static_cast<std::size_t>(run.threads(3)));  // with Pool(3) as pool:
  const std::vector<std::string> results = pool.map(factorial, numbers);

  std::string digits;
  for (std::size_t i = 0; i < results.size(); ++i) {
    tour::print(numbers[i], "! = ", results[i]);
    digits += tour::text(i == 0 ? "" : "/", results[i].size());
    run.check(modulo_prime(results[i]) == factorial_modulo_prime(numbers[i]), "the digits are right");
  }
  run.expect("digits", digits, "158/375/615");
}

const tour::Demo registered({.id = "pool-factorial",
                             .cell = "0.6",
                             .seconds = 0.1,
                             .teaches = "100!, 200! and 300! by a pool of processes, back as strings"},
                            pool_factorial);

}  // namespace
