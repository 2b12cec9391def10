#pragma warning disable
using SegmentAnything.Rle;
// Stands in until the real types land; whoever brings those deletes this file.
namespace SegmentAnything {
public enum ModelFileRole { Encoder, Decoder, Checkpoint }
public sealed record SamVariant(string Name, int ImageSize, int EmbeddingChannels, int EmbeddingGrid, float[] PixelMean, float[] PixelStd);
public static class SamModels { public static System.Collections.Generic.IReadOnlyList<SamVariant> All => [MobileSam]; public static SamVariant MobileSam { get; } = new("mobile-sam",1024,256,64,[123.675f,116.28f,103.53f],[58.395f,57.12f,57.375f]); }
public sealed class ModelFiles(string folder) { public ReadOnlyMemory<byte> Read(ModelFileRole r) => File.ReadAllBytes(Path.Combine(folder, r == ModelFileRole.Encoder ? "encoder.onnx" : "decoder.onnx")); }
public sealed class ModelStore { public static ModelStore Default { get; } = new(); public ModelFiles Find(SamVariant v) => new(Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache/segment-anything/models", v.Name)); }
public sealed class ModelNotFoundException : Exception { }
}
