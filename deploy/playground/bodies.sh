#!/bin/sh
# Prints the raw records of one vendor without end: a key, a tab and a body a line, as Kafka's console producer reads them.
# They are those of bodies/<vendor>.tsv, again and again, each time with other ids and the time now.
#
#   bodies.sh VENDOR [ROUNDS_A_SECOND]
set -eu

vendor=$1
rounds=${2:-1}
bodies=$(dirname "$0")/bodies/$vendor.tsv

# Each vendor prints times in its own way; MOBtexting's have no zone and are India's. Named zones are not there in every image.
export TZ=UTC0
case $vendor in
    infobip) format='+%Y-%m-%dT%H:%M:%S.000+0000' ;;
    mobtexting) TZ=IST-5:30 format='+%Y-%m-%d %H:%M:%S' ;;
    altcraft) format='+%Y-%m-%dT%H:%M:%S.000000000Z' ;;
    *) echo "$vendor is no vendor of the playground" >&2; exit 2 ;;
esac

# Begins with the time, so that a second start makes other ids than the first.
number=$(date +%s)000
while :; do
    now=$(date "$format")
    printed=0
    while [ "$printed" -lt "$rounds" ]; do
        sed -e "s/@N@/$number/g" -e "s/@NOW@/$now/g" "$bodies"
        number=$((number + 1))
        printed=$((printed + 1))
    done
    sleep 1
done
