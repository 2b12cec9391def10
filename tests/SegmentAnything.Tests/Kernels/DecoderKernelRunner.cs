using System.Runtime.Intrinsics;
using SegmentAnything.Decoding;
using SegmentAnything.Kernels;

namespace SegmentAnything.Tests.Kernels;

/// <summary>A test body that is run for one vector width, whether the processor has it or not.</summary>
internal interface IWidthTest
{
    void Run<TSimd, TVector>()
        where TSimd : ISimd<TVector>
        where TVector : struct;
}

/// <summary>Runs kernels of the decoder for every vector width, on memory with guards of known values around it.</summary>
internal static unsafe class DecoderKernelRunner
{
    private const float Guard = 123456.5f;
    private const int GuardLength = 32;

    public static TheoryData<int> Widths { get; } = [4, 8, 16];

    public static void Run(int width, IWidthTest test)
    {
        if (width == 4) test.Run<Simd128, Vector128<float>>();
        else if (width == 8) test.Run<Simd256, Vector256<float>>();
        else test.Run<Simd512, Vector512<float>>();
    }

    /// <summary>Memory with a guard on both sides; <see cref="Check"/> fails when a kernel wrote there.</summary>
    internal sealed class Memory : IDisposable
    {
        private readonly NativeFloats _block;
        private readonly int _length;

        public Memory(int length)
        {
            _length = length;
            _block = new NativeFloats(length + (2 * GuardLength));
            new Span<float>(_block.Pointer, length + (2 * GuardLength)).Fill(Guard);
            Span.Fill(float.NaN);
        }

        public Memory(float[] values) : this(values.Length) => values.CopyTo(Span);

        public float* Pointer => _block.Pointer + GuardLength;

        public Span<float> Span => new(Pointer, _length);

        public float this[int index] => Span[index];

        public void Check()
        {
            for (int i = 0; i < GuardLength; i++)
            {
                Assert.Equal(Guard, _block.Pointer[i]);
                Assert.Equal(Guard, _block.Pointer[GuardLength + _length + i]);
            }
        }

        public void Dispose() => _block.Dispose();
    }
}
