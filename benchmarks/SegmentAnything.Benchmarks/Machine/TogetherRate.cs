namespace SegmentAnything.Benchmarks.Machine;

/// <summary>How much several threads do in a second when they begin at the same moment.</summary>
internal static class TogetherRate
{
    /// <summary>The best of some repetitions: the processor changes its clock, and other programs disturb.</summary>
    /// <param name="threads">Threads that work at the same time.</param>
    /// <param name="repetitions">How often.</param>
    /// <param name="rateOf">Does the work of the thread with that index and gives its rate.</param>
    /// <returns>The rates of all threads together.</returns>
    public static double Measure(int threads, int repetitions, Func<int, double> rateOf)
    {
        double best = 0;
        for (int repetition = 0; repetition < repetitions; repetition++)
        {
            using Barrier barrier = new(threads);
            double[] rates = new double[threads];
            Thread[] workers = new Thread[threads];
            for (int t = 0; t < threads; t++)
            {
                int index = t;
                workers[t] = new Thread(() =>
                {
                    barrier.SignalAndWait();
                    rates[index] = rateOf(index);
                });
                workers[t].Start();
            }

            foreach (Thread worker in workers) worker.Join();
            best = Math.Max(best, rates.Sum());
        }

        return best;
    }
}
