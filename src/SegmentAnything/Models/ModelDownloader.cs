using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;

namespace SegmentAnything.Models;

/// <summary>Downloads one file over HTTP into a folder, so that it appears there only whole and with the right hash.</summary>
/// <remarks>
/// Bytes go into a <see cref="PartialFile"/>, and their hash is checked before it is renamed. Processes that download the
/// same file at once do not wait for each other; the last to finish replaces the file by an equal one. What an attempt
/// leaves is taken up by the next, in whatever process: nothing says that the server still has the same file then, but
/// the hash decides in the end, and if it differs the file is fetched once more from its beginning.
/// </remarks>
internal sealed class ModelDownloader(HttpClient? client, IProgress<ModelDownloadProgress>? progress)
{
    private const int BufferBytes = 128 * 1024;

    private static readonly Lazy<HttpClient> OwnClient = new(() => new HttpClient { Timeout = Timeout.InfiniteTimeSpan });

    private readonly HttpClient _client = client ?? OwnClient.Value;

    /// <summary>Attempts in a row that bring no new byte before an address is given up.</summary>
    public int MaxFruitlessAttempts { get; init; } = 4;

    /// <summary>The pause after a failed attempt; it doubles with each further one that brings nothing.</summary>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a connection may be silent.</summary>
    public TimeSpan SilenceTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Downloads a file, trying its addresses in turn.</summary>
    /// <exception cref="ModelNotFoundException">Every address failed; the message lists each with its reasons.</exception>
    public async Task DownloadAsync(SamVariant variant, ModelFile file, string folder, CancellationToken cancellationToken)
    {
        string target = Path.Combine(folder, file.FileName);
        if (file.Downloads.IsEmpty || file.Sha256 is null)
        {
            throw new ModelNotFoundException(
                $"{variant.DisplayName}: '{target}' is missing, and {(file.Downloads.IsEmpty ? "no address" : "no SHA-256")} is known for it, so it cannot be downloaded. See {variant.Source}.",
                [target]);
        }

        cancellationToken.ThrowIfCancellationRequested();
        Directory.CreateDirectory(folder);
        List<string> tried = [];
        using PartialFile partial = PartialFile.Open(target);
        FileStream part = partial.Stream;
        bool isTakenUp = part.Length > 0;
        foreach (Uri address in file.Downloads)
        {
            string? failure = await ReceiveAsync(part, file, address, cancellationToken).ConfigureAwait(false);
            failure ??= await CheckHashAsync(part, file, cancellationToken).ConfigureAwait(false);
            if (failure is not null && part.Length == 0 && isTakenUp)
            {
                // What an earlier attempt left did not belong to this file: once more from the beginning.
                isTakenUp = false;
                failure = await ReceiveAsync(part, file, address, cancellationToken).ConfigureAwait(false)
                    ?? await CheckHashAsync(part, file, cancellationToken).ConfigureAwait(false);
            }

            if (failure is null)
            {
                partial.Install(target);
                PartialFile.DeleteLeftovers(target);
                return;
            }

            tried.Add($"{address}: {failure}");
        }

        throw new ModelNotFoundException(
            $"{variant.DisplayName}: '{file.FileName}' could not be downloaded."
            + string.Concat(tried.Select(t => $"{Environment.NewLine}  {t}"))
            + $"{Environment.NewLine}Try again (what was received is kept), put the file there by hand ({target}), "
            + $"or set {ModelStore.MirrorVariable} to a server that has it as {variant.Name}/{file.FileName}.", [.. tried]);
    }

    // Receives what is missing; null if everything that the server has is here, else why not.
    private async Task<string?> ReceiveAsync(FileStream part, ModelFile file, Uri address, CancellationToken cancellationToken)
    {
        RangeConditionHeaderValue? validator = null;
        for (int fruitless = 0; ;)
        {
            if (file.Bytes is { } bytes && part.Length > bytes) part.SetLength(0);
            if (part.Length == file.Bytes) return null;

            long before = part.Length;
            (Outcome outcome, string? failure, RangeConditionHeaderValue? seen) =
                await AttemptAsync(part, file, address, validator, cancellationToken).ConfigureAwait(false);
            if (outcome == Outcome.Complete) return null;
            if (outcome == Outcome.Hopeless) return failure;

            validator = seen ?? validator;
            fruitless = part.Length > before ? 0 : fruitless + 1;
            if (fruitless == MaxFruitlessAttempts) return $"{failure} (given up after {fruitless} attempts without a new byte; {part.Length} bytes are here)";
            await Task.Delay(RetryDelay * (1 << fruitless), cancellationToken).ConfigureAwait(false);
        }
    }

    // One request. Interrupted: worth another. Hopeless: the address answers, but not with this file.
    private async Task<(Outcome Outcome, string? Failure, RangeConditionHeaderValue? Validator)> AttemptAsync(
        FileStream part, ModelFile file, Uri address, RangeConditionHeaderValue? validator, CancellationToken cancellationToken)
    {
        using var silence = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        silence.CancelAfter(SilenceTimeout);
        RangeConditionHeaderValue? seen = null;
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, address);
            request.Headers.AcceptEncoding.Add(new StringWithQualityHeaderValue("identity")); // ranges count the file's own bytes
            if (part.Length > 0)
            {
                request.Headers.Range = new RangeHeaderValue(part.Length, null);
                request.Headers.IfRange = validator;
            }

            using HttpResponseMessage response = await _client
                .SendAsync(request, HttpCompletionOption.ResponseHeadersRead, silence.Token).ConfigureAwait(false);
            seen = ValidatorOf(response);
            switch (response.StatusCode)
            {
                case HttpStatusCode.OK:
                    part.SetLength(0); // the server does not do ranges, or has another file by now
                    break;
                case HttpStatusCode.PartialContent when response.Content.Headers.ContentRange?.From == part.Length:
                    break;
                case HttpStatusCode.PartialContent:
                    string range = response.Content.Headers.ContentRange?.ToString() ?? "no range";
                    string wanted = $"bytes {part.Length}-";
                    part.SetLength(0);
                    return (Outcome.Interrupted, $"the server sent {range} when asked for {wanted}", seen);
                case HttpStatusCode.RequestedRangeNotSatisfiable:
                    string had = $"{part.Length} bytes";
                    part.SetLength(0);
                    return (Outcome.Interrupted, $"the server has nothing after {had}", seen);
                case HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests or >= HttpStatusCode.InternalServerError:
                    return (Outcome.Interrupted, $"the server answered {(int)response.StatusCode} {response.ReasonPhrase}", seen);
                default:
                    return (Outcome.Hopeless, $"the server answered {(int)response.StatusCode} {response.ReasonPhrase}", seen);
            }

            long? announced = response.Content.Headers.ContentRange?.Length ?? part.Length + response.Content.Headers.ContentLength;
            long? total = file.Bytes ?? announced;
            if (file.Bytes is not null && announced is not null && announced != file.Bytes)
                return (Outcome.Hopeless, $"the server's file has {announced} bytes, expected {file.Bytes}", seen);

            part.Position = part.Length;
            progress?.Report(new ModelDownloadProgress(file, part.Length, total));
            using Stream body = await response.Content.ReadAsStreamAsync(silence.Token).ConfigureAwait(false);
            byte[] buffer = GC.AllocateUninitializedArray<byte>(BufferBytes);
            while (true)
            {
                int count;
                try
                {
                    count = await body.ReadAsync(buffer, silence.Token).ConfigureAwait(false);
                }
                catch (IOException e)
                {
                    return (Outcome.Interrupted, $"the connection broke: {e.Message}", seen);
                }

                if (count == 0) break;
                if (part.Length + count > total)
                {
                    part.SetLength(0);
                    return (Outcome.Hopeless, $"the server sent more than the {total} bytes that the file has", seen);
                }

                // Outside of what is caught: a full disk is not the server's fault.
                await part.WriteAsync(buffer.AsMemory(0, count), cancellationToken).ConfigureAwait(false);
                progress?.Report(new ModelDownloadProgress(file, part.Length, total));
                silence.CancelAfter(SilenceTimeout);
            }

            return total is null || part.Length == total
                ? (Outcome.Complete, null, seen)
                : (Outcome.Interrupted, $"the server sent {part.Length} of {total} bytes", seen);
        }
        catch (HttpRequestException e)
        {
            // Where not even the name is known there is no network, or none to this server: waiting helps only who had begun.
            bool isOffline = e.HttpRequestError == HttpRequestError.NameResolutionError && part.Length == 0;
            return (isOffline ? Outcome.Hopeless : Outcome.Interrupted, e.Message, seen);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            // The silence, or a time limit of the caller's client.
            string reason = silence.IsCancellationRequested ? $"the server was silent for {SilenceTimeout.TotalSeconds:0.#} s" : e.Message;
            return (Outcome.Interrupted, reason, seen);
        }
    }

    // What makes the server send the rest only of the very file that was begun. Weak tags do not promise equal bytes.
    private static RangeConditionHeaderValue? ValidatorOf(HttpResponseMessage response)
    {
        if (response.Headers.ETag is { IsWeak: false } tag) return new RangeConditionHeaderValue(tag);
        return response.Content.Headers.LastModified is { } date ? new RangeConditionHeaderValue(date) : null;
    }

    private static async Task<string?> CheckHashAsync(FileStream part, ModelFile file, CancellationToken cancellationToken)
    {
        part.Position = 0;
        string found = Convert.ToHexStringLower(await SHA256.HashDataAsync(part, cancellationToken).ConfigureAwait(false));
        if (string.Equals(found, file.Sha256, StringComparison.OrdinalIgnoreCase)) return null;
        string failure = $"the SHA-256 of the {part.Length} bytes received is {found}, expected {file.Sha256}";
        part.SetLength(0);
        return failure;
    }

    private enum Outcome
    {
        Complete,
        Interrupted,
        Hopeless,
    }
}
