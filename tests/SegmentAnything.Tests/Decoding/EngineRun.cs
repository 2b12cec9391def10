using SegmentAnything.Decoding;

namespace SegmentAnything.Tests.Decoding;

/// <summary>A decode whose request and result are written as a list.</summary>
internal static class EngineRun
{
    public static void Run(
        this IMaskDecoderEngine engine, IPreparedImage image, ReadOnlySpan<float> tokens, int prompts, int tokensPerPrompt, WantedMasks wanted,
        Span<float> logits, Span<float> predictedIou, CancellationToken cancellationToken = default) =>
        engine.Decode(
            new DecodeRequest { Image = image, Tokens = tokens, Prompts = prompts, TokensPerPrompt = tokensPerPrompt, Wanted = wanted },
            new DecodeResult { Logits = logits, PredictedIou = predictedIou }, cancellationToken);
}
