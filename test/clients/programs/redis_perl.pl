# A writer or a reader by Redis.pm: redis_perl.pl sentinel write|read KEY PORT...
use strict;
use warnings;
use Redis;
use Time::HiRes qw(time sleep);

my ($protocol, $role, $key, @ports) = @ARGV;
$| = 1;
my $client;
for (my $number = 0;; $number++) {
    my $began = time;
    eval {
        $client ||= Redis->new(
            sentinels => [map { "127.0.0.1:$_" } @ports],
            service => 'mymaster',
            sentinels_cnx_timeout => 1,
            sentinels_read_timeout => 1,
            cnx_timeout => 1,
            read_timeout => 1,
            write_timeout => 1,
            reconnect => 10,
            every => 100_000,
        );
        if ($role eq 'write') {
            $client->rpush($key, $number);
            print "+$number\n";
        } else {
            print '+', $client->llen($key), "\n";
        }
        1;
    } or do {
        my $error = $@ || 'unknown';
        $error =~ s/\n/ /g;
        print "-$error\n";
        # It cannot be used after an error of the connection.
        undef $client;
    };
    my $rest = 0.005 - (time - $began);
    sleep($rest) if $rest > 0;
}
