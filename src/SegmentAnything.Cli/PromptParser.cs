using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using SegmentAnything.Rle;

namespace SegmentAnything.Cli;

/// <summary>Reads points and boxes from the command line.</summary>
internal static class PromptParser
{
    /// <summary>The option <c>--point X,Y[,1|0]</c>, any number of times.</summary>
    public static Option<PointPrompt[]> CreatePointOption() => new("--point")
    {
        Description = "A point in pixels from the left and the top: on the object (1, the default) or off it (0). All points are one object.",
        HelpName = "X,Y[,1|0]",
        CustomParser = result => Parse(result, ParsePoint, "--point takes X,Y or X,Y,1 (on the object) or X,Y,0 (off it), such as 320,180"),
        Arity = ArgumentArity.OneOrMore,
    };

    /// <summary>The option <c>--box X0,Y0,X1,Y1</c>, any number of times.</summary>
    public static Option<Box[]> CreateBoxOption() => new("--box")
    {
        Description = "A box: left, top, right, bottom in pixels. Each box is an object of its own; a single box is one object with the points.",
        HelpName = "X0,Y0,X1,Y1",
        CustomParser = result => Parse(result, ParseBox, "--box takes X0,Y0,X1,Y1 (left, top, right, bottom), such as 40,60,320,240"),
        Arity = ArgumentArity.OneOrMore,
    };

    /// <summary>The option <c>--region X0,Y0,X1,Y1</c>.</summary>
    public static Option<Box[]> CreateRegionOption() => new("--region")
    {
        Description = "Look for objects in a part of the one image: left, top, right, bottom in pixels. The grid of points lies over it alone.",
        HelpName = "X0,Y0,X1,Y1",
        CustomParser = result => Parse(result, ParseBox, "--region takes X0,Y0,X1,Y1 (left, top, right, bottom), such as 40,60,320,240"),
        Arity = ArgumentArity.ExactlyOne,
    };

    /// <summary>One prompt per object: a single box and a mask go together with the points, several boxes do not.</summary>
    /// <exception cref="ArgumentException">A box has reversed corners, or the mask is empty.</exception>
    public static Prompt[] Combine(PointPrompt[] points, Box[] boxes, RleMask? mask)
    {
        if (mask is not null && points.Length == 0) return [boxes is [Box around] ? Prompt.FromBox(around).AndMask(mask) : Prompt.Mask(mask)];
        if (mask is not null) return [Combine(points, boxes, null)[0].AndMask(mask)];
        if (points.Length == 0) return [.. boxes.Select(Prompt.FromBox)];
        Prompt object_ = Prompt.FromPoints(points);
        return boxes is [Box only]
            ? [object_.AndBox(only.X0, only.Y0, only.X1, only.Y1)]
            : [object_, .. boxes.Select(Prompt.FromBox)];
    }

    private static T[] Parse<T>(ArgumentResult result, Func<string, T?> parse, string usage) where T : struct
    {
        List<T> values = [];
        foreach (Token token in result.Tokens)
        {
            if (parse(token.Value) is { } value) values.Add(value);
            else result.AddError($"'{token.Value}': {usage}.");
        }

        return [.. values];
    }

    private static PointPrompt? ParsePoint(string text)
    {
        string[] parts = text.Split(',');
        if (parts.Length is < 2 or > 3 || Number(parts[0]) is not { } x || Number(parts[1]) is not { } y) return null;
        return parts.ElementAtOrDefault(2)?.Trim() switch
        {
            null or "1" => new PointPrompt(x, y, PointLabel.Foreground),
            "0" => new PointPrompt(x, y, PointLabel.Background),
            _ => null,
        };
    }

    private static Box? ParseBox(string text)
    {
        float?[] numbers = [.. text.Split(',').Select(Number)];
        return numbers is [{ } x0, { } y0, { } x1, { } y1] ? Box.FromXyxy(x0, y0, x1, y1) : null;
    }

    private static float? Number(string text) => OptionOf.Parse<float>(text.Trim());
}
