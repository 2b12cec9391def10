using BenchmarkDotNet.Running;
using SegmentAnything.Benchmarks;
using SegmentAnything.Benchmarks.Rle;

// rle-ratios [part of a name]: the quick comparison with C. Everything else is BenchmarkDotNet's.
if (args is ["rle-ratios", ..]) return RleRatios.Run(args.Length > 1 ? args[1] : "");

BenchmarkSwitcher.FromAssembly(typeof(BenchmarkSettings).Assembly).Run(args, new BenchmarkSettings());
return 0;
