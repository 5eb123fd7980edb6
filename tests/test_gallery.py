"""The picture of docs/gallery.md: its pieces, with an untrained network."""

from __future__ import annotations

import numpy as np

from bench.gallery import GAP, LABEL_HEIGHT, REAL, REAL_COLUMNS, draw, generate, images_by_category


def test_real_and_generated_galaxies_side_by_side(tiny_weights):
    real = images_by_category(REAL)
    assert sum(map(len, real.values())) == 24
    generated = generate("spiral", 2, 1, tiny_weights)
    assert [image.size for image in generated] == [(32, 32)] * 2
    rows = {name: (real[name], generated) for name in ("spiral", "merging")}
    sheet = draw(rows, columns=2, scale=1)
    assert sheet.size == ((REAL_COLUMNS + 2) * 64 + GAP, 2 * (64 + LABEL_HEIGHT))
    pixels, top = np.asarray(sheet), 64 + 2 * LABEL_HEIGHT  # of the second row
    np.testing.assert_array_equal(pixels[top : top + 64, :64], np.asarray(real["merging"][0]))
    second = pixels[top : top + 64 : 2, REAL_COLUMNS * 64 + GAP + 64 :: 2]
    np.testing.assert_array_equal(second, np.asarray(generated[1]))
