# Sends a picture to a gateway with Perl's own HTTP client and JSON writer, in chunks, with every spelling of its base64
# that JSON allows, and prints the answers as a JSON object.
# The arguments are the gateway's address, the model, and a file with a PNG.
use strict;
use warnings;
use HTTP::Tiny;
use JSON::PP;
use MIME::Base64;

my ($address, $model, $file) = @ARGV;
open my $in, '<:raw', $file or die $!;
my $data = encode_base64(do { local $/; <$in> }, '');

sub chat {
    my ($base64, %more) = @_;
    my @content = (
        { type => 'image_url', image_url => { url => "data:image/png;base64,$base64" } },
        { type => 'text', text => "\x{1F408} \x{e9}?" },
    );
    return { model => $model, messages => [{ role => 'user', content => \@content }], %more };
}

# Sends a body in chunks of a prime number of bytes, so that no boundary is where an escape's is.
sub post {
    my ($body) = @_;
    my $at = 0;
    my $content = sub {
        my $chunk = substr $body, $at, 4093;
        $at += length $chunk;
        return $chunk;
    };
    my $headers = { 'content-type' => 'application/json' };
    my $response = HTTP::Tiny->new(timeout => 120)->post("$address/v1/chat/completions", { content => $content, headers => $headers });
    return { status => $response->{status}, body => decode_json($response->{content}) };
}

# Every character of the picture's base64 as a Unicode escape, in upper and lower case by turns.
sub escaped {
    my ($body) = @_;
    my $turn = 0;
    $body =~ s{(?<=base64,)([^"]+)}{join '', map { sprintf $turn++ % 2 ? '\u%04x' : '\u%04X', ord } split //, $1}e;
    return $body;
}

my $json = JSON::PP->new->canonical;
my $plain = $json->utf8->encode(chat($data));
my $url = "\"url\":\"data:image/png;base64,$data\"";
my %bodies = (
    slashes   => JSON::PP->new->utf8->escape_slash->encode(chat($data)),
    ascii     => JSON::PP->new->ascii->pretty->canonical->encode(chat($data)),
    escaped   => escaped($plain),
    key       => $plain =~ s/"url"/"\\u0075\\u0072l"/r =~ s/"image_url":\{/"\\u0069mage_url" : {/r,
    twice     => $plain =~ s/\Q$url\E/"url":"data:image\/png;base64,AAAA",$url/r,
    otherwise => $plain =~ s/\Q$url\E/$url,"url":"data:image\/png;base64,AAAA"/r,
    partTwice => $plain =~ s/"image_url":\{/"image_url":{"url":"file:\/\/\/etc\/passwd"},"image_url":{/r,
    mark      => "\xEF\xBB\xBF$plain",
    spaces    => " \r\n\t" x 5000 . $plain . "\n" x 5000,
);
my %answers = map { $_ => post($bodies{$_}) } keys %bodies;
print JSON::PP->new->utf8->encode(\%answers);
