// grayscale-halves -- a picture turned gray, one half by each thread.
//
// The top half and the bottom half have nothing to do with each other, so two threads
// need half the time, and no lock: each writes its own lines. The picture is made here,
// 3840 x 2160, as large as a television shows. `--svg DIR` writes it to a file, as
// DIR/grayscale-halves.ppm, which most viewers can show.
//
// Python:
//
//     def to_gray(top, bottom):
//         for y in range(top, bottom):
//             gray[y] = bytes((299 * r + 587 * g + 114 * b) // 1000 for r, g, b in picture[y])
//
//     with ThreadPoolExecutor(2) as executor:
//         halves = [executor.submit(to_gray, 0, HEIGHT // 2),
//                   executor.submit(to_gray, HEIGHT // 2, HEIGHT)]
//         for half in halves:
//             half.result()

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "nogil/futures.hpp"
#include "nogil/threading.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

struct Pixel {
  std::uint8_t red, green, blue;
  friend bool operator==(const Pixel&, const Pixel&) = default;
};

struct Picture {
  std::size_t width, height;
  std::vector<Pixel> pixels = std::vector<Pixel>(width * height);

  // Wants no library: a heading, then the bytes.
  std::string ppm() const {
    std::string bytes = tour::text("P6\n", width, ' ', height, "\n255\n");
    bytes.append(reinterpret_cast<const char*>(pixels.data()), pixels.size() * sizeof(Pixel));
    return bytes;
  }
};

// Colours from left to right and from top to bottom, under a lattice of lines.
Picture colourful(std::size_t width, std::size_t height) {
  Picture picture{width, height};
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t x = 0; x < width; ++x) {
      picture.pixels[y * width + x] = {static_cast<std::uint8_t>(x * 255 / width),
                                       static_cast<std::uint8_t>(y * 255 / height),
                                       static_cast<std::uint8_t>((x ^ y) & 255)};
    }
  }
  return picture;
}

// The lines from `top` to just before `bottom`: as bright as the eye finds the colours.
void to_gray(const Picture& picture, Picture& gray, std::size_t top, std::size_t bottom) {
  for (std::size_t i = top * picture.width; i < bottom * picture.width; ++i) {
    const Pixel& pixel = picture.pixels[i];
    const auto bright = static_cast<std::uint8_t>((299 * pixel.red + 587 * pixel.green + 114 * pixel.blue) / 1000);
    gray.pixels[i] = {bright, bright, bright};
  }
}

void grayscale_halves(tour::Run& run) {
  const std::size_t width = 3840, height = static_cast<std::size_t>(run.size(2160, 8));
  const Picture picture = colourful(width, height);
  Picture alone{width, height};
  to_gray(picture, alone, 0, height);

  const int workers = run.threads(static_cast<int>(nogil::cpu_count()));
  tour::print(width, " x ", height, " pixels, a pool of ", workers);
  nogil::ThreadPoolExecutor executor(static_cast<std::size_t>(workers));
  std::size_t same = 0;
  double one_stripe = 0;
  Picture gray{width, height};
  for (const std::size_t stripes : {1u, 2u, 4u}) {
    double best = 0;
    for (int repeat = 0; repeat < 5; ++repeat) {
      std::fill(gray.pixels.begin(), gray.pixels.end(), Pixel{});
      const tour::Stopwatch watch;
      std::vector<nogil::Future<void>> parts;
      for (std::size_t n = 0; n < stripes; ++n) {
        parts.push_back(executor.submit(to_gray, std::cref(picture), std::ref(gray), height * n / stripes,
                                        height * (n + 1) / stripes));
      }
      for (const nogil::Future<void>& part : parts) part.result();
      const double wall = watch.wall().count();
      best = repeat == 0 || wall < best ? wall : best;
    }
    if (stripes == 1) one_stripe = best;
    tour::print(stripes, stripes == 1 ? " stripe:  " : " stripes: ", tour::fixed(best * 1e3, 2), " ms, ",
                tour::fixed(one_stripe / best, 2), " times as fast as one");
    same += gray.pixels == alone.pixels;
  }

  const std::string ppm = gray.ppm();
  if (!run.options().svg_folder.empty()) {
    const std::string path = run.options().svg_folder + "/grayscale-halves.ppm";
    std::ofstream file(path, std::ios::binary);
    file << ppm;
    run.check(static_cast<bool>(file.flush()), "the picture can be written");
    tour::print("picture: ", path);
  }

  const std::string heading = tour::text("P6\n", width, ' ', height, "\n255\n");
  run.expect("as gray as by one thread, in stripes", same, 3);
  run.check(ppm.starts_with(heading) && ppm.size() == heading.size() + 3 * width * height, "a whole PPM picture");
  const Pixel corner = gray.pixels.back();
  run.check(corner == Pixel{corner.red, corner.red, corner.red}, "gray is gray");
}

const tour::Demo registered({.id = "grayscale-halves",
                             .cell = "3.2",
                             .seconds = 0.4,
                             .teaches = "a picture turned gray by two threads, a half each"},
                            grayscale_halves);

}  // namespace
