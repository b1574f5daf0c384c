"""Three factorials by a pool of three processes."""

import math
from multiprocessing import Pool

from support import run


def main(tour):
    with Pool(tour.threads(3)) as pool:
        results = pool.map(math.factorial, [100, 200, 300])
    for n, result in zip([100, 200, 300], results):
        print(f"{n}! = {result}")
    assert [len(str(result)) for result in results] == [158, 375, 615]
    tour.result("digits", "/".join(str(len(str(result))) for result in results))


if __name__ == "__main__":
    run(main)
