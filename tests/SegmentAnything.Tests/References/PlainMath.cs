namespace SegmentAnything.Tests.References;

/// <summary>What networks are made of, in double precision.</summary>
internal static class PlainMath
{
    /// <summary>x/2 · (1 + erf(x/√2)), erf by its series: enough terms where it is not 1 or -1.</summary>
    public static double Gelu(double x)
    {
        double z = x / Math.Sqrt(2);
        if (Math.Abs(z) > 5) return z > 0 ? x : 0;
        double sum = 0, term = z;
        for (int n = 0; n < 200; n++)
        {
            sum += term / (2 * n + 1);
            term *= -z * z / (n + 1);
        }

        return x / 2 * (1 + 2 / Math.Sqrt(Math.PI) * sum);
    }

    public static double[] Norm(double[] x, float[] weight, float[] bias, double epsilon)
    {
        double mean = x.Average();
        double variance = x.Average(v => (v - mean) * (v - mean));
        return [.. x.Select((v, i) => (v - mean) / Math.Sqrt(variance + epsilon) * weight[i] + bias[i])];
    }

    public static double[] Linear(double[] x, float[] weight, float[] bias)
    {
        double[] y = new double[bias.Length];
        for (int o = 0; o < y.Length; o++)
        {
            double sum = bias[o];
            for (int i = 0; i < x.Length; i++) sum += weight[o * x.Length + i] * x[i];
            y[o] = sum;
        }

        return y;
    }
}
