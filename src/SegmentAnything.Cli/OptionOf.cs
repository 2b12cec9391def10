using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Numerics;

namespace SegmentAnything.Cli;

/// <summary>
/// Options that take a number, with a point, whatever the system's language, and within limits that are told; or one of a few words.
/// </summary>
internal static class OptionOf
{
    /// <summary>An option of a whole number.</summary>
    /// <param name="name">With its dashes.</param>
    /// <param name="unit">What is counted, such as <c>points</c>.</param>
    /// <param name="least">The least that is taken.</param>
    /// <param name="most">The most that is taken.</param>
    /// <param name="description">For help.</param>
    public static Option<T?> Whole<T>(string name, string unit, T least, T most, string description) where T : struct, IBinaryInteger<T> =>
        Create(name, $"a whole number of {unit}", least, most, description, "N", text =>
            T.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out T value) ? value : null);

    /// <summary>An option of any number.</summary>
    /// <param name="name">With its dashes.</param>
    /// <param name="unit">What it is, such as <c>a part of the points</c>.</param>
    /// <param name="least">The least that is taken.</param>
    /// <param name="most">The most that is taken.</param>
    /// <param name="description">For help.</param>
    public static Option<T?> Real<T>(string name, string unit, T least, T most, string description) where T : struct, IFloatingPoint<T> =>
        Create(name, unit, least, most, description, "X", text => Parse<T>(text));

    /// <summary>An option of one of a few words.</summary>
    /// <param name="name">With its dashes.</param>
    /// <param name="description">For help.</param>
    /// <param name="words">What is taken; the first is the default.</param>
    public static Option<string> Word(string name, string description, params string[] words)
    {
        Option<string> option = new(name)
        {
            Description = description,
            HelpName = string.Join('|', words),
            DefaultValueFactory = _ => words[0],
            CustomParser = result =>
            {
                string text = result.Tokens is [var token] ? token.Value : "";
                if (words.Contains(text)) return text;
                result.AddError($"{name} '{text}': expected {string.Join(", ", words[..^1])} or {words[^1]}.");
                return null;
            },
        };
        option.CompletionSources.Add(words);
        return option;
    }

    /// <summary>A number with a point, without separators of thousands: <c>0,88</c> is none. Null where it is none, or not finite.</summary>
    public static T? Parse<T>(string text) where T : struct, IFloatingPoint<T> =>
        T.TryParse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent, CultureInfo.InvariantCulture, out T value)
        && T.IsFinite(value) ? value : null;

    private static Option<T?> Create<T>(
        string name, string what, T least, T most, string description, string placeholder, Func<string, T?> parse) where T : struct, IComparable<T>, IFormattable
    {
        string limits = string.Create(CultureInfo.InvariantCulture, $"{least} to {most}");
        return new Option<T?>(name)
        {
            Description = description,
            HelpName = placeholder,
            CustomParser = result =>
            {
                string text = result.Tokens is [var token] ? token.Value : "";
                if (parse(text) is { } value && value.CompareTo(least) >= 0 && value.CompareTo(most) <= 0) return value;
                result.AddError($"{name} '{text}': expected {what}, {limits}, with a point before fractions.");
                return null;
            },
        };
    }
}
