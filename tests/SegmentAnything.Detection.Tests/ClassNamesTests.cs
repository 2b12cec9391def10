namespace SegmentAnything.Detection.Tests;

public class ClassNamesTests
{
    [Theory]
    [InlineData("{0: 'person', 1: \"the cat's\"}", "person", "the cat's")]
    [InlineData("{ 0 :'a\\'b',1:'\\u00e9\\x41' , }", "a'b", "éA")]
    [InlineData("['person', 'car']", "person", "car")]
    [InlineData("{0: 'a', 1: 'b'", "a", "b")]
    public void ParsePython_Literal_GivesNames(string text, string first, string second)
    {
        IReadOnlyDictionary<int, string> names = ClassNames.ParsePython(text);
        Assert.Equal([first, second], [names[0], names[1]]);
        Assert.Equal(2, names.Count);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("person")]
    [InlineData("{'a': 'b'}")]
    [InlineData("{0 'b'}")]
    [InlineData("{0: 'b")]
    [InlineData("{99999999999: 'b'}")]
    public void ParsePython_SomethingElse_GivesNone(string text) => Assert.Empty(ClassNames.ParsePython(text));

    [Fact]
    public void ParsePython_AnyText_Ends()
    {
        var random = new Random(4);
        const string letters = "{}[]:,'\"\\ x01u";
        for (int i = 0; i < 5000; i++)
            ClassNames.ParsePython(new string([.. Enumerable.Range(0, random.Next(30)).Select(_ => letters[random.Next(letters.Length)])]));
    }
}
