return await SegmentAnything.Cli.Tool.RunAsync(args, Console.Out, Console.Error);
