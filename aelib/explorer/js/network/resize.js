// Upsampling: each new pixel is mixed of two rows and two columns, in parts that layers.py measured.

export async function resize({ in: [channels, height, width], out: [, tall, wide], rows, columns }) {
  const out = new Float32Array(channels * tall * wide);
  const mix = (a, b, part) => a + (b - a) * part;
  return (x) => {
    for (let c = 0, i = 0; c < channels; c++) {
      for (let y = 0; y < tall; y++) {
        const above = (c * height + rows[0][y]) * width, below = (c * height + rows[1][y]) * width;
        for (let j = 0; j < wide; j++, i++) {
          const l = columns[0][j], r = columns[1][j], part = columns[2][j];
          out[i] = mix(mix(x[above + l], x[above + r], part), mix(x[below + l], x[below + r], part), rows[2][y]);
        }
      }
    }
    return out;
  };
}
