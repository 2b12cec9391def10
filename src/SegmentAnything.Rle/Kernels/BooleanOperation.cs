namespace SegmentAnything.Rle.Kernels;

/// <summary>A truth table of two pixels: bit 2a + b says whether the result is foreground.</summary>
internal enum BooleanOperation
{
    Union = 0b1110,
    Intersection = 0b1000,
    Difference = 0b0100,
    SymmetricDifference = 0b0110,
}

/// <summary>What a merge must know of an operation; all of it is decided when the code is compiled.</summary>
internal interface IOperation
{
    // The lowest bit is the result's colour when i changes of a and j of b have been passed.
    static abstract int State(int i, int j);

    // Whether the result changes wherever a does, as long as b keeps the colour given; and the other way round.
    static abstract bool FollowsA(bool b);

    static abstract bool FollowsB(bool a);

    // Whether two changes of the same kind always make one of the result.
    static abstract bool IsMonotone { get; }

    // Of a monotone operation: whether the earlier of two starts counts (and the later of two ends).
    static abstract bool StartsEarly { get; }
}

internal readonly struct UnionOf : IOperation
{
    public static int State(int i, int j) => i | j;
    public static bool FollowsA(bool b) => !b;
    public static bool FollowsB(bool a) => !a;
    public static bool IsMonotone => true;
    public static bool StartsEarly => true;
}

internal readonly struct IntersectionOf : IOperation
{
    public static int State(int i, int j) => i & j;
    public static bool FollowsA(bool b) => b;
    public static bool FollowsB(bool a) => a;
    public static bool IsMonotone => true;
    public static bool StartsEarly => false;
}

internal readonly struct DifferenceOf : IOperation
{
    public static int State(int i, int j) => i & ~j;
    public static bool FollowsA(bool b) => !b;
    public static bool FollowsB(bool a) => a;
    public static bool IsMonotone => false;
    public static bool StartsEarly => false;
}

internal readonly struct SymmetricDifferenceOf : IOperation
{
    public static int State(int i, int j) => i ^ j;
    public static bool FollowsA(bool b) => true;
    public static bool FollowsB(bool a) => true;
    public static bool IsMonotone => false;
    public static bool StartsEarly => false;
}
