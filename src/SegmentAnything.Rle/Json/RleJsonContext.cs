using System.Text.Json.Serialization;

namespace SegmentAnything.Rle;

/// <summary>
/// Type information of masks for System.Text.Json, made at compile time: for applications that are trimmed or compiled
/// ahead of time. Combine it with a context of your own through JsonTypeInfoResolver.Combine.
/// </summary>
[JsonSerializable(typeof(RleMask))]
[JsonSerializable(typeof(RleMask[]))]
[JsonSerializable(typeof(List<RleMask>))]
public sealed partial class RleJsonContext : JsonSerializerContext;
