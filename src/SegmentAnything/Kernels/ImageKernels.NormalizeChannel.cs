using System.Runtime.InteropServices;

namespace SegmentAnything.Kernels;

/// <content>Brings bytes to the scale that a network was trained with.</content>
internal static partial class ImageKernels
{
    /// <summary>Normalises one channel of a row of four-byte pixels.</summary>
    /// <param name="rgbx">The pixels.</param>
    /// <param name="channel">0, 1 or 2.</param>
    /// <param name="mean">Subtracted first.</param>
    /// <param name="std">Divided by then.</param>
    /// <param name="destination">One value a pixel.</param>
    internal static void NormalizeChannel(ReadOnlySpan<byte> rgbx, int channel, float mean, float std, Span<float> destination) =>
        SimdDispatch.Run<NormalizeChannelKernel, int>(new(rgbx, channel, mean, std, destination));

    internal static void NormalizeChannelScalar(ReadOnlySpan<byte> rgbx, int channel, float mean, float std, Span<float> destination)
    {
        for (int x = 0; x < rgbx.Length / 4; x++) destination[x] = (rgbx[(4 * x) + channel] - mean) / std;
    }

    // A pixel is one 32-bit lane; its channel is shifted down and the others are masked out. Division, not
    // multiplication with the reciprocal: the bits of the definition. Returns the number of pixels done.
    internal static int NormalizeChannel<TSimd, TVector>(ReadOnlySpan<byte> rgbx, int channel, float mean, float std, Span<float> destination)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        ReadOnlySpan<int> pixels = MemoryMarshal.Cast<byte, int>(rgbx);
        ref int input = ref MemoryMarshal.GetReference(pixels);
        ref float output = ref MemoryMarshal.GetReference(destination[..pixels.Length]);
        TVector byteMask = TSimd.Broadcast(0xFF), means = TSimd.Create(mean), deviations = TSimd.Create(std);
        int x = 0;
        for (; x + TSimd.Width <= pixels.Length; x += TSimd.Width)
        {
            TVector value = TSimd.And(TSimd.ShiftRight(TSimd.Load(ref input, (nuint)x), 8 * channel), byteMask);
            TSimd.Store(TSimd.Divide(TSimd.Subtract(TSimd.ToSingle(value), means), deviations), ref output, (nuint)x);
        }

        return x;
    }

    private readonly ref struct NormalizeChannelKernel(ReadOnlySpan<byte> rgbx, int channel, float mean, float std, Span<float> destination)
        : ISimdKernel<int>
    {
        private readonly ReadOnlySpan<byte> _rgbx = rgbx;
        private readonly Span<float> _destination = destination;

        public int Run<TSimd, TVector>()
            where TSimd : ISimd<TVector>
            where TVector : struct
        {
            int done = NormalizeChannel<TSimd, TVector>(_rgbx, channel, mean, std, _destination);
            NormalizeChannelScalar(_rgbx[(done * 4)..], channel, mean, std, _destination[done..]);
            return done;
        }

        public int RunScalar()
        {
            NormalizeChannelScalar(_rgbx, channel, mean, std, _destination);
            return 0;
        }
    }
}
