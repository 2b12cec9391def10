using System.CommandLine;

namespace SegmentAnything.Cli;

/// <summary>What somebody who mistyped a command or an option may have meant.</summary>
internal static class Suggestion
{
    // Letters to change, add, leave out or swap.
    private const int MostChanges = 2;

    /// <summary>The nearest command or option to a word that is none; null where nothing is near.</summary>
    public static string? For(ParseResult parsed)
    {
        Command command = parsed.CommandResult.Command;
        foreach (string word in parsed.UnmatchedTokens.Concat(parsed.Tokens.Select(t => t.Value)))
        {
            IEnumerable<string> names = word.StartsWith('-')
                ? command.Options.SelectMany(o => o.Aliases.Prepend(o.Name)).Where(name => name.StartsWith("--", StringComparison.Ordinal))
                : command.Subcommands.Select(c => c.Name);
            string name = word.Split('=', ':')[0];
            if (names.Contains(name)) continue;
            (string Name, int Changes) nearest = names.Select(n => (n, Changes(name, n))).DefaultIfEmpty(("", int.MaxValue)).MinBy(n => n.Item2);
            if (nearest.Changes <= Math.Min(MostChanges, name.TrimStart('-').Length / 2)) return nearest.Name;
        }

        return null;
    }

    /// <summary>The least number of letters that are changed, added, left out, or swapped with their neighbour.</summary>
    internal static int Changes(string a, string b)
    {
        int[,] least = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++)
        {
            for (int j = 0; j <= b.Length; j++)
            {
                if (i == 0 || j == 0)
                {
                    least[i, j] = i + j;
                    continue;
                }

                int same = a[i - 1] == b[j - 1] ? 0 : 1;
                least[i, j] = Math.Min(least[i - 1, j - 1] + same, Math.Min(least[i - 1, j], least[i, j - 1]) + 1);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) least[i, j] = Math.Min(least[i, j], least[i - 2, j - 2] + 1);
            }
        }

        return least[a.Length, b.Length];
    }
}
