using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace SegmentAnything.Tests.Fakes;

/// <summary>
/// A web server on the loopback, written on bare sockets so that it can break every rule: announce one length and send
/// another, stop in the middle, ignore what it was asked.
/// </summary>
internal sealed class FaultyServer : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Func<Request, Response> _answer;
    private readonly Task _accepting;

    /// <summary>Starts the server.</summary>
    /// <param name="answer">What to answer; called from many threads.</param>
    public FaultyServer(Func<Request, Response> answer)
    {
        _answer = answer;
        _listener.Start();
        _accepting = Task.Run(AcceptAsync);
    }

    /// <summary>What was asked, in order.</summary>
    public ConcurrentQueue<Request> Requests { get; } = new();

    public Uri Address(string path) => new($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/{path}");

    /// <summary>A server that does everything right, ranges and their validators included.</summary>
    public static Func<Request, Response> Honest(byte[] content, string tag = "\"v1\"") => request =>
    {
        bool isRange = request.RangeStart > 0 && (request.IfRange is null || request.IfRange == tag);
        int start = isRange ? (int)request.RangeStart : 0;
        if (start > content.Length) return new Response("416 Range Not Satisfiable", []);
        return new Response(isRange ? "206 Partial Content" : "200 OK", content[start..])
        {
            Headers = isRange
                ? $"ETag: {tag}\r\nContent-Range: bytes {start}-{content.Length - 1}/{content.Length}\r\n"
                : $"ETag: {tag}\r\n",
        };
    };

    public void Dispose()
    {
        _stop.Cancel();
        _accepting.Wait(TimeSpan.FromSeconds(10));
        _listener.Stop();
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                TcpClient client = await _listener.AcceptTcpClientAsync(_stop.Token);
                _ = Task.Run(() => ServeAsync(client));
            }
        }
        catch (OperationCanceledException)
        {
            // Stopped.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using TcpClient owned = client;
        try
        {
            NetworkStream stream = client.GetStream();
            using var reader = new StreamReader(stream, Encoding.ASCII, leaveOpen: true);
            string path = ((await reader.ReadLineAsync(_stop.Token)) ?? "").Split(' ').ElementAtOrDefault(1) ?? "";
            long rangeStart = 0;
            string? ifRange = null;
            while (await reader.ReadLineAsync(_stop.Token) is { Length: > 0 } line)
            {
                if (line.StartsWith("Range: bytes=", StringComparison.OrdinalIgnoreCase))
                    rangeStart = long.Parse(line["Range: bytes=".Length..].TrimEnd('-'), CultureInfo.InvariantCulture);
                if (line.StartsWith("If-Range: ", StringComparison.OrdinalIgnoreCase)) ifRange = line["If-Range: ".Length..];
            }

            var request = new Request(path.TrimStart('/'), rangeStart, ifRange, Requests.Count);
            Requests.Enqueue(request);
            Response response = _answer(request);
            string length = response.Chunked ? "Transfer-Encoding: chunked\r\n" : $"Content-Length: {response.AnnouncedLength ?? response.Body.Length}\r\n";
            await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 {response.Status}\r\n{response.Headers}{length}Connection: close\r\n\r\n"), _stop.Token);
            byte[] sent = response.Body[..Math.Min(response.Body.Length, response.CutAfter ?? int.MaxValue)];
            if (response.Chunked) await stream.WriteAsync(Encoding.ASCII.GetBytes($"{sent.Length:x}\r\n"), _stop.Token);
            for (int i = 0; i < sent.Length; i += response.Step ?? sent.Length)
            {
                if (response.Step is not null) await Task.Delay(2, _stop.Token);
                await stream.WriteAsync(sent.AsMemory(i, Math.Min(response.Step ?? sent.Length, sent.Length - i)), _stop.Token);
            }

            if (response.Chunked) await stream.WriteAsync("\r\n0\r\n\r\n"u8.ToArray(), _stop.Token);
            if (response.ThenSilent) await Task.Delay(Timeout.Infinite, _stop.Token);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or SocketException)
        {
            // The client went away, as some tests want it to.
        }
    }

    /// <summary>What a client asked.</summary>
    public sealed record Request(string Path, long RangeStart, string? IfRange, int Number);

    /// <summary>What to answer.</summary>
    public sealed record Response(string Status, byte[] Body)
    {
        /// <summary>Lines, each with its end.</summary>
        public string Headers { get; init; } = "";

        /// <summary>The length to announce; null for the true one.</summary>
        public long? AnnouncedLength { get; init; }

        /// <summary>Close the connection after so many bytes of the body.</summary>
        public int? CutAfter { get; init; }

        /// <summary>Send nothing more, but keep the connection.</summary>
        public bool ThenSilent { get; init; }

        /// <summary>Announce no length.</summary>
        public bool Chunked { get; init; }

        /// <summary>Send slowly, so many bytes at a time.</summary>
        public int? Step { get; init; }
    }
}
