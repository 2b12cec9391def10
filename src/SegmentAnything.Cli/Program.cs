using SegmentAnything.Cli;

using Signals signals = new();
return await Tool.RunAsync(args, Console.Out, Console.Error, signals);
