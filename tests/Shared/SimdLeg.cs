using System.Runtime.Intrinsics;

namespace SegmentAnything.TestSupport;

/// <summary>The instruction sets that this run of the tests is meant to have, and whether it has them.</summary>
/// <remarks>
/// The tests run once per leg. The variable SEGMENTANYTHING_SIMD_LEG names the leg, and the matching switch of the runtime
/// must be set with it:
/// default (nothing), noavx512 (DOTNET_EnableAVX512=0), noavx2 (DOTNET_EnableAVX2=0),
/// nointrinsics (DOTNET_EnableHWIntrinsic=0). A leg whose switch had no effect is red.
/// </remarks>
public static class SimdLeg
{
    /// <summary>Name of the variable that names the leg.</summary>
    public const string Variable = "SEGMENTANYTHING_SIMD_LEG";

    /// <summary>The leg that was asked for; "default" when the variable is not set.</summary>
    public static string Name { get; } = Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } name ? name : "default";

    /// <summary>Whether this is the leg that takes the hardware as it is: long tests run only here.</summary>
    public static bool IsDefault => Name == "default";

    /// <summary>Fails unless exactly the instruction sets of the leg are in use.</summary>
    public static void AssertTookEffect()
    {
        bool v128 = Vector128.IsHardwareAccelerated, v256 = Vector256.IsHardwareAccelerated, v512 = Vector512.IsHardwareAccelerated;
        string found = $"Vector128 {v128}, Vector256 {v256}, Vector512 {v512}";
        switch (Name)
        {
            case "default":
                // What the hardware has is not ours to say, but no switch may be left on by accident.
                foreach (string variable in new[] { "EnableAVX512", "EnableAVX512F", "EnableAVX2", "EnableAVX", "EnableHWIntrinsic" })
                {
                    string? value = Environment.GetEnvironmentVariable("DOTNET_" + variable);
                    Assert.True(value is null or "1", $"DOTNET_{variable}={value} is set in the default leg; name the leg with {Variable}.");
                }

                break;
            case "noavx512":
                Assert.True(v128 && !v512, $"Expected no Vector512 (set DOTNET_EnableAVX512=0); found {found}.");
                break;
            case "noavx2":
                Assert.True(v128 && !v256 && !v512, $"Expected Vector128 alone (set DOTNET_EnableAVX2=0); found {found}.");
                break;
            case "nointrinsics":
                Assert.True(!v128 && !v256 && !v512, $"Expected no vectors (set DOTNET_EnableHWIntrinsic=0); found {found}.");
                break;
            default:
                Assert.Fail($"{Variable}={Name} is none of default, noavx512, noavx2, nointrinsics.");
                break;
        }
    }
}
