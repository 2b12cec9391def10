using System.Runtime.CompilerServices;

namespace SegmentAnything.Kernels;

/// <content>The Gaussian error linear unit in its exact form.</content>
internal static unsafe partial class DecoderKernels
{
    /// <summary>Where the polynomial ends: beyond, the error function is 1 to 2e-7.</summary>
    private const float GeluLimit = 5.2f;

    /// <summary>Pieces of the table to a unit of |x|: sixteen of them reach to 5.2.</summary>
    private const float GeluPieces = 2.97f;

    /// <summary>
    /// What <see cref="GeluByTable"/> looks up. Kernels want it in memory of their caller's that begins at a line of 64 bytes:
    /// vectors that lie across two lines would cost them half of their time.
    /// </summary>
    // Piece k of erf(z / sqrt(2)) / 2 is a polynomial in r = 2.97 z - k, |r| <= 1/2; one line a power of r, one value a piece.
    public static ReadOnlySpan<float> GeluTable => [
        0f, 0.13182862102985382f, 0.24965378642082214f, 0.34377655386924744f,
        0.41097787022590637f, 0.4538609981536865f, 0.4783187806606293f, 0.49078595638275146f,
        0.4964657723903656f, 0.49877846240997314f, 0.4996200501918793f, 0.49989375472068787f,
        0.499973326921463f, 0.4999939799308777f, 0.4999987781047821f, 0.4999997913837433f,
        0.13432294130325317f, 0.12692125141620636f, 0.10707393288612366f, 0.08064904808998108f,
        0.05423504859209061f, 0.03256305307149887f, 0.017455535009503365f, 0.008354160003364086f,
        0.0035697014536708593f, 0.0013618164230138063f, 0.00046383155859075487f, 0.00014104388537816703f,
        3.8291069358820096e-05f, 9.28082226892002e-06f, 2.008248657148215e-06f, 3.879594885347615e-07f,
        0f, -0.007195078302174807f, -0.01213852595537901f, -0.013714045286178589f,
        -0.012296621687710285f, -0.009228795766830444f, -0.005936643108725548f, -0.003314861562103033f,
        -0.0016188197769224644f, -0.000694786780513823f, -0.00026294655981473625f, -8.795777102932334e-05f,
        -2.6051318855024874e-05f, -6.8408294282562565e-06f, -1.5942525806167396e-06f, -3.3001018096001644e-07f,
        -0.0025234557688236237f, -0.002116665942594409f, -0.0011039633536711335f, 2.538592161727138e-05f,
        0.0008257176377810538f, 0.0011219982989132404f, 0.001013391767628491f, 0.0007191242184489965f,
        0.00042336704791523516f, 0.00021202830248512328f, 9.15876153158024e-05f, 3.441428270889446e-05f,
        1.1312312381051015e-05f, 3.2658365398674505e-06f, 8.304726293317799e-07f, 1.8642064958385163e-07f,
        0f, 0.00019824469927698374f, 0.00029035183251835406f, 0.0002545370953157544f,
        0.0001369606179650873f, 1.4713266864418983e-05f, -5.9977912314934656e-05f, -7.952185842441395e-05f,
        -6.48841742076911e-05f, -4.0598370105726644e-05f, -2.0794293959625065e-05f, -8.978437108453363e-06f,
        -3.320816631458001e-06f, -1.0625813047226984e-06f, -2.9607878104798147e-07f, -7.217604292009128e-08f];

    /// <summary>x/2 * (1 + erf(x / sqrt(2))).</summary>
    /// <param name="x">Any values.</param>
    /// <param name="table"><see cref="GeluTable"/>.</param>
    /// <remarks>Either way within 1.5e-6. The tanh form, which some use instead, would be 5e-4 off.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Gelu<TSimd, TVector>(TVector x, float* table)
        where TSimd : ISimd<TVector>
        where TVector : struct => TSimd.HasLookup ? GeluByTable<TSimd, TVector>(x, table) : GeluByPolynomial<TSimd, TVector>(x);

    /// <summary>GELU where one instruction looks up sixteen values: half the arithmetic of the polynomial.</summary>
    /// <param name="x">Any values.</param>
    /// <param name="table"><see cref="GeluTable"/>.</param>
    /// <remarks>
    /// gelu(x) = x/2 + z * (erf(z / sqrt(2)) / 2) with z = |x|. The nearest piece's number is in the lowest bits after
    /// 1.5 * 2^23 was added; the last piece also serves what lies beyond. Each piece is the quartic with the smallest largest
    /// error, 7e-8.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector GeluByTable<TSimd, TVector>(TVector x, float* table)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        TVector z = TSimd.Abs(x), shift = TSimd.Create(12582912f);
        TVector scaled = TSimd.Min(TSimd.Multiply(z, TSimd.Create(GeluPieces)), TSimd.Create(15.49f));
        TVector piece = TSimd.Add(scaled, shift);
        TVector r = TSimd.Subtract(scaled, TSimd.Subtract(piece, shift));
        TVector p = TSimd.MultiplyAdd(TSimd.Lookup(table + 64, piece), r, TSimd.Lookup(table + 48, piece));
        p = TSimd.MultiplyAdd(p, r, TSimd.Lookup(table + 32, piece));
        p = TSimd.MultiplyAdd(p, r, TSimd.Lookup(table + 16, piece));
        p = TSimd.MultiplyAdd(p, r, TSimd.Lookup(table, piece));
        return TSimd.MultiplyAdd(z, p, TSimd.Multiply(x, TSimd.Create(0.5f)));
    }

    /// <summary>GELU by one polynomial, for processors that look up no tables.</summary>
    /// <remarks>
    /// erf(x / sqrt(2)) / x is even: a polynomial of degree 12 in x^2, mapped from [0, 5.2^2] to [-1, 1] so that nothing
    /// cancels, fitted for the smallest largest error of the result: 7e-7, with rounding 1.5e-6. Outside of +-5.2 the
    /// error function is 1 to 2e-7, and x is held there for it.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector GeluByPolynomial<TSimd, TVector>(TVector x)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        TVector held = TSimd.Max(TSimd.Min(x, TSimd.Create(GeluLimit)), TSimd.Create(-GeluLimit));
        TVector u = TSimd.MultiplyAdd(TSimd.Multiply(held, held), TSimd.Create(2 / (GeluLimit * GeluLimit)), TSimd.Create(-1));
        TVector p = TSimd.MultiplyAdd(TSimd.Create(0.0017183911986649036f), u, TSimd.Create(-0.005008524749428034f));
        p = TSimd.MultiplyAdd(p, u, TSimd.Create(0.005705616902559996f));
        p = TSimd.MultiplyAdd(p, u, TSimd.Create(-0.007009151857346296f));
        p = TSimd.MultiplyAdd(p, u, TSimd.Create(0.015116620808839798f));
        p = TSimd.MultiplyAdd(p, u, TSimd.Create(-0.026208369061350822f));
        p = TSimd.MultiplyAdd(p, u, TSimd.Create(0.0367741584777832f));
        p = TSimd.MultiplyAdd(p, u, TSimd.Create(-0.04918628931045532f));
        p = TSimd.MultiplyAdd(p, u, TSimd.Create(0.06381451338529587f));
        p = TSimd.MultiplyAdd(p, u, TSimd.Create(-0.0798826664686203f));
        p = TSimd.MultiplyAdd(p, u, TSimd.Create(0.10006033629179001f));
        p = TSimd.MultiplyAdd(p, u, TSimd.Create(-0.13548679649829865f));
        p = TSimd.MultiplyAdd(p, u, TSimd.Create(0.27189987897872925f));
        TVector half = TSimd.Multiply(x, TSimd.Create(0.5f));
        return TSimd.MultiplyAdd(half, TSimd.Multiply(held, p), half);
    }
}
