// What packing.py wrote: deflated bytes in base64.

export async function unpack(text) {
  const packed = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

export const unpackFloats = async (text) => new Float32Array((await unpack(text)).buffer);

// Codes (count, d) as one array, row by row.
export async function unpackCodes({ low, step, count, data }) {
  const bytes = await unpack(data), size = count * low.length, codes = new Float32Array(size);
  for (let i = 0; i < size; i++) {
    const d = i % low.length;
    codes[i] = low[d] + step[d] * (bytes[i] | (bytes[size + i] << 8));
  }
  return codes;
}

// Images [channels, height, width], each made floats in [0, 1] when it is asked for.
export async function unpackImages({ shape, count, data }) {
  const bytes = await unpack(data), size = shape[0] * shape[1] * shape[2];
  return { count, shape, at: (i) => Float32Array.from(bytes.subarray(i * size, (i + 1) * size), (v) => v / 255) };
}
